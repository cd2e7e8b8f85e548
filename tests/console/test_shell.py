"""What every page has, in a real browser."""

import re

import pytest
from playwright.async_api import Browser, expect

from blindrelay.console.rights import RIGHTS, Role
from blindrelay.console.views import VIEWS
from support.browsing import visit
from support.console_site import ConsoleSite

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def test_link_works_once(browser: Browser, quiet: ConsoleSite) -> None:
    """A sign-in link leads in, takes itself out of the address, and leads nobody in again."""
    link = quiet.link(Role.OPERATOR)
    async with visit(browser, quiet, None) as first:
        await first.page.goto(link)
        await first.page.wait_for_url("**/live")
        assert "#" not in first.page.url
    async with visit(browser, quiet, None) as second:
        await second.page.goto(link)
        await expect(second.page.get_by_role("status")).to_contain_text("has been used")
        assert "#" not in second.page.url
        second.complaints.clear()  # Chromium writes every 401 on its console
        assert not any(link.partition("#")[2] in url for url in second.asked)


@pytest.mark.parametrize("role", list(Role))
async def test_navigation_is_what_the_role_may_see(browser: Browser, quiet: ConsoleSite, role: Role) -> None:
    """Each role finds its own views, and only these; another one is refused in words."""
    async with visit(browser, quiet, role) as window:
        await window.go("evidence")
        links = window.page.get_by_role("navigation").get_by_role("link")
        await expect(links).to_have_text([view.title for view in VIEWS if view.needs in RIGHTS[role]])
        for view in VIEWS:
            await window.go(view.name)
            refusal = window.page.get_by_text(f"{view.title} is not for the {role}")
            await expect(refusal).to_have_count(0 if view.needs in RIGHTS[role] else 1)
            await expect(window.page).to_have_title(f"{view.title} · Blindrelay")


async def test_relay_goes_away_and_comes_back(browser: Browser, console: ConsoleSite) -> None:
    """The page says so within a moment, without being loaded anew."""
    async with visit(browser, console, Role.OPERATOR, "live") as window:
        status = window.page.locator("#link")
        await expect(status).to_contain_text("There is no relay")
        relay = await console.relay.start()
        await expect(status).to_contain_text("The relay is up")
        await expect(status).to_have_attribute("title", re.compile(f"127.0.0.1:{relay.port}"))
        await console.relay.stop()
        await expect(status).to_contain_text("There is no relay")
        await console.relay.start()
        await expect(status).to_contain_text("The relay is up")


async def test_menu_by_keyboard(browser: Browser, quiet: ConsoleSite) -> None:
    """Whoever has no mouse reaches the content, the menu, and an invitation in it."""
    async with visit(browser, quiet, Role.OPERATOR, "live") as window:
        page = window.page
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("To the content")).to_be_focused()
        await page.locator(".menu summary").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Invite: auditor").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#invitation code")).to_contain_text(f"{quiet.url}/sign-in#")
        await page.keyboard.press("Escape")
        await expect(page.locator(".menu summary")).to_be_focused()
        await expect(page.get_by_role("button", name="Invite: auditor")).to_be_hidden()


async def test_light_or_dark_is_remembered(browser: Browser, quiet: ConsoleSite) -> None:
    """The choice overrules the system's, on the next page, too."""
    async with visit(browser, quiet, Role.AUDITOR, "scenarios") as window:
        page = window.page
        background = "getComputedStyle(document.body).backgroundColor"
        before = await page.evaluate(background)
        await page.locator(".menu summary").click()
        await page.get_by_role("button", name="Light or dark").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert await page.evaluate(background) != before
        await window.go("evidence")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_accessible(browser: Browser, quiet: ConsoleSite) -> None:
    """The frame around every view, with its menu open, and the page for those who have not signed in."""
    async with visit(browser, quiet, Role.OPERATOR, "live") as window:
        await window.page.locator(".menu summary").click()
        await window.check_accessible("menu")
    async with visit(browser, quiet, None) as stranger:
        await stranger.go("live")
        await expect(stranger.page.get_by_role("heading", level=1)).to_have_text("Sign in")
        await stranger.check_accessible("sign-in")
