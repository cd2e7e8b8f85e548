"""Makes the pictures of the console that README and docs show: `make pictures`, or some of them: see `make`.

A demonstration is started, each view is brought into a telling state, and photographed; the first one in dark, too.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final

from playwright.async_api import Page, async_playwright, expect

from blindrelay.console.cast.lines import Direction, Way
from blindrelay.console.rights import Role
from blindrelay.proofs.shipped import KILL_MATRIX

from . import browsing
from .console_site import ConsoleSite, demonstration_in, direct

#: A proof takes a minute, and longer on a busy machine. Milliseconds.
PROVED: Final = 900_000
SIZE: Final = {"width": 1280, "height": 800}


async def _live(page: Page, _: ConsoleSite) -> None:
    await page.get_by_role("button", name="Side by side").click()
    await expect(page.locator(".message").first.locator(".relay.pair .record")).to_have_count(2)
    await page.get_by_role("button", name="Pause").click()


async def _demand(page: Page, _: ConsoleSite) -> None:
    await page.get_by_role("button", name="Sign it and hand it in").click()
    await expect(page.locator(".letter-card")).to_be_visible()


async def _scenarios(page: Page, _: ConsoleSite) -> None:
    await page.get_by_role("button", name="Play", exact=True).first.click()
    await expect(page.locator("#progress")).to_contain_text("all met")
    await page.locator("#place").fill("14")


async def _metadata(page: Page, _: ConsoleSite) -> None:
    await expect(page.locator("#say")).to_contain_text("is probably the boss")


async def _evidence(page: Page, _: ConsoleSite) -> None:
    await page.locator("#entries button").nth(2).click()
    await page.get_by_role("button", name="All steps").click()
    await page.locator("#log-title").scroll_into_view_if_needed()


async def _locks(page: Page, console: ConsoleSite) -> None:
    """A proof that is carried out for the picture, and the matrix of the documentation."""
    console.desktop.matrix_file = KILL_MATRIX
    await page.reload()
    await page.get_by_role("button", name="Prove it now").click()
    await expect(page.locator("#proof-state")).to_contain_text("Every lock holds", timeout=PROVED)
    await page.locator("#locks-title").evaluate("title => title.scrollIntoView()")


async def _operate(page: Page, console: ConsoleSite) -> None:
    """With a minute of traffic in its charts, which is looked at more often, and so takes less."""
    console.desktop.operations.samples.clear()
    console.desktop.operations.every = 0.2
    line = page.locator(".chart polyline").first
    for number, rate in enumerate((5, 20, 50, 10), 1):
        await direct(console, Direction(paused=False, way=Way.STANDARD, rate=rate))
        await expect(line).to_have_attribute("points", re.compile(rf"^\S+( \S+){{{20 * number},}}$"))


#: What each picture is called, and how its view is brought into that state; the view is the first word.
VIEWS: Final[dict[str, Callable[[Page, ConsoleSite], Awaitable[None]]]] = {
    "live": _live,
    "demand": _demand,
    "scenarios": _scenarios,
    "metadata": _metadata,
    "evidence": _evidence,
    "operate": _operate,
    "evidence-locks": _locks,
}


async def make(folder: Path, names: Collection[str]) -> None:
    """Write `console-<name>-<scheme>.png` into `folder`: `python -m support.pictures FOLDER NAME ...`, or without names all."""
    with tempfile.TemporaryDirectory(prefix="blindrelay-pictures-") as place:
        async with demonstration_in(Path(place), beat=0.6) as console, async_playwright() as playwright:
            browser = await browsing.launch(playwright)
            context = await browser.new_context(viewport=SIZE, locale="en-GB", timezone_id="UTC")  # type: ignore[arg-type]
            context.set_default_timeout(browsing.PATIENCE)
            page = await context.new_page()
            await page.goto(console.link(Role.DEMONSTRATOR))
            await expect(page.locator(".message")).not_to_have_count(0)
            for view in names:
                await page.goto(f"{console.url}/{view.partition('-')[0]}")
                await VIEWS[view](page, console)
                for scheme in ("light", "dark") if view == "live" else ("light",):
                    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                    await page.screenshot(path=folder / f"console-{view}-{scheme}.png")
            await browser.close()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(make(target, sys.argv[2:] or VIEWS))
