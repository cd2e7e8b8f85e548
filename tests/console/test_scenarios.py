"""Scenarios, played in a real browser, by a real relay."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from blindrelay.console.playing.runs import FIRST
from blindrelay.console.rights import Role
from support.browsing import Visit, visit
from support.console_site import ConsoleSite

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]
SHORT = "us-search-warrant"


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser, quiet: ConsoleSite) -> AsyncIterator[Visit]:
    """The view, as an auditor has it."""
    async with visit(browser, quiet, Role.AUDITOR) as window:
        await window.go("scenarios")
        await expect(window.page.locator("#scenario")).to_have_value(FIRST)
        yield window


async def _played(window: Visit) -> Page:
    """A short one, to its end."""
    page = window.page
    await page.get_by_label("Scenario", exact=True).select_option(SHORT)
    await page.get_by_role("button", name="Play", exact=True).first.click()
    await expect(page.locator("#progress")).to_contain_text("all met")
    return page


async def test_pakistan_comes_first(window: Visit) -> None:
    """With what it is about, and both ways in which it could have gone."""
    page = window.page
    await expect(page.locator("#about")).to_contain_text("In July 2015")
    await expect(page.locator("#variant option")).to_have_count(2)
    await page.get_by_label("Scenario", exact=True).select_option(SHORT)
    await expect(page.locator("#variants")).to_be_hidden()


async def test_search_warrant_gets_no_words(window: Visit) -> None:
    """At the end the answers are there, each class with its reason, and the count is what it was at the beginning."""
    page = await _played(window)
    await page.locator("#place").focus()
    await page.keyboard.press("End")
    await expect(page.locator("#cases")).to_contain_text("Words: refused (not held)")
    await expect(page.locator("#cases")).to_contain_text("Who wrote to whom: granted")
    await expect(page.locator("#services")).to_contain_text("United States")
    await expect(page.locator("#disclosed")).to_have_text("0")
    await page.get_by_text("What is counted").click()
    await expect(page.locator(".definition")).to_contain_text("found in the clear")


async def test_time_is_ones_own(window: Visit) -> None:
    """Back, on, by the slider, by a line of the story; it stands where one leaves it."""
    page = await _played(window)
    place, title = page.locator("#place"), page.locator("#happens")
    await place.focus()
    await page.keyboard.press("Home")
    await expect(place).to_have_value("0")
    first = await title.text_content()
    await expect(page.locator("#cases")).to_contain_text("Nobody has asked for anything yet")
    await page.get_by_role("button", name="One step on").press("Enter")
    await expect(place).to_have_value("1")
    await expect(page.get_by_role("button", name="Play", exact=True).last).to_be_visible()
    await page.get_by_role("button", name="One step back").press("Enter")
    await expect(title).to_have_text(first or "")
    await place.focus()
    await page.keyboard.press("End")
    await page.locator("#story button").last.click()
    await expect(place).to_have_value("0")
    await page.get_by_label("Speed").select_option("five times")
    await page.get_by_role("button", name="Play", exact=True).last.click()
    await expect(place).to_have_value("2")


async def test_play_can_be_paused(window: Visit) -> None:
    """It stands still until one lets it go on; which services, tenants and cases there are then stays."""
    page = await _played(window)
    place, play = page.locator("#place"), page.locator("#play")
    await page.get_by_role("button", name="One step back").press("Enter")
    await place.focus()
    await page.keyboard.press("Home")
    await expect(play).to_have_text("Play")
    await play.press("Enter")
    await expect(place).to_have_value("1")
    await expect(play).to_have_text("Pause")
    await play.press("Enter")
    await expect(play).to_have_text("Play")
    await expect(page.locator("#services")).to_contain_text(re.compile(r"\w+\.example"))
    await play.press("Enter")
    await expect(play).to_have_text("Pause")
    await expect(place).to_have_value("3")


async def test_accessible(window: Visit) -> None:
    """Before anything is played, and at the end, with the definition open."""
    await window.check_accessible("scenarios-empty")
    page = await _played(window)
    await page.locator("#place").focus()
    await page.keyboard.press("End")
    await page.get_by_text("What is counted").click()
    await window.check_accessible("scenarios")
