"""A real browser, and what must be so on every page that it sees."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Playwright, expect

from blindrelay.console.rights import Role

from .console_site import ConsoleSite

#: Debian's. No sandbox: tests run as root in containers, and see nothing but our own pages. Drawing is no process of its own.
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--in-process-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
]
# A busy machine is no failure. Milliseconds.
PATIENCE = 120_000
WIDE, NARROW = (1440, 900), (390, 844)
#: Where pictures are kept, for whoever wants to look; by default nowhere.
PICTURES = "BLINDRELAY_PICTURES"


async def launch(playwright: Playwright) -> Browser:
    """The browser."""
    expect.set_options(timeout=PATIENCE)
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@dataclass
class Visit:
    """A window, signed in.

    Attributes:
        asked: every address that was asked for.
        complaints: what the browser wrote on its console, and errors of scripts. A policy that is broken is one.
    """

    page: Page
    console: ConsoleSite
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def go(self, view: str) -> Page:
        """Look at a view."""
        await self.page.goto(f"{self.console.url}/{view}", wait_until="load")
        return self.page

    def check(self) -> None:
        """Nothing came from elsewhere, and the browser has nothing to complain about."""
        elsewhere = [url for url in self.asked if not url.startswith((f"{self.console.url}/", "data:", "about:"))]
        assert not elsewhere, elsewhere
        assert not self.complaints, self.complaints

    async def check_accessible(self, name: str) -> None:
        """axe finds nothing, and nothing is cut off: in light and wide, in dark and narrow. Colours know nothing of widths, so
        that the other two would find nothing else. A picture of each is kept where they are wanted."""
        for scheme, size in (("light", WIDE), ("dark", NARROW)):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            await self.page.set_viewport_size({"width": size[0], "height": size[1]})
            await self.picture(f"{name}-{scheme}-{'wide' if size is WIDE else 'narrow'}")
            found = await Axe().run(self.page)
            assert found.violations_count == 0, f"{scheme} {size}: {found.generate_report()}"
            overflow = await self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, f"{name}: {size[0]} px are not enough, {overflow} are missing"
        await self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})

    async def picture(self, name: str) -> None:
        """Keep a picture, where they are wanted."""
        if folder := os.environ.get(PICTURES):
            await self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@asynccontextmanager
async def visit(browser: Browser, console: ConsoleSite, role: Role | None, view: str = "") -> AsyncIterator[Visit]:
    """A window of somebody who has signed in, or of nobody; at a view, or nowhere yet. What must be so is checked in the end.

    Nothing moves that need not. That a link signs somebody in is tested once, and here they have signed in.
    """
    context = await browser.new_context(
        viewport={"width": WIDE[0], "height": WIDE[1]}, locale="en-GB", timezone_id="UTC", reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    found = Visit(await context.new_page(), console)
    context.on("request", lambda request: found.asked.append(request.url))
    context.on(
        "console", lambda said: found.complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    context.on("weberror", lambda error: found.complaints.append(str(error.error)))
    try:
        if role is not None:
            secret, _ = console.desktop.sessions.sign_in(console.link(role).partition("#")[2])
            name = f"blindrelay-console-{urlsplit(console.url).port}"
            await context.add_cookies([{"name": name, "value": secret, "url": console.url}])
        if view:
            await found.go(view)
        yield found
        found.check()
    finally:
        await context.close()
