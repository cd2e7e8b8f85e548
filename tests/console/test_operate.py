"""How the relay is doing, in a real browser."""

import re

import pytest
from playwright.async_api import Browser, expect

from blindrelay.console.rights import Role
from support.browsing import visit
from support.console_site import ConsoleSite

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def test_relay_at_work(browser: Browser, demonstration: ConsoleSite) -> None:
    """Numbers, lines over time with the same as a table, who is there, and what waits at the desk."""
    async with visit(browser, demonstration, Role.OPERATOR) as window:
        page = await window.go("operate")
        await expect(page.locator("#health")).to_have_text("It is ready, and takes messages.")
        await expect(page.locator("#facts")).to_contain_text("Connections")
        await expect(page.locator("#tenants tbody tr")).to_have_text(
            ["acme.exampleUnited States3", "globex.exampleUnited States3"]
        )
        await expect(page.locator("#desk")).to_contain_text("open case")
        await expect(page.locator("#logs")).to_contain_text("directory: ")
        chart = page.locator("figure").filter(has_text="Messages taken")
        await expect(chart.get_by_role("img")).to_have_attribute("aria-label", re_starts("Messages taken: now "))
        await chart.locator("summary").press("Enter")
        await expect(chart.locator("tbody tr")).not_to_have_count(0)
        await expect(chart.locator("details")).to_have_attribute("open", "")
        await window.check_accessible("operate")


async def test_relay_goes_away_and_comes_back(browser: Browser, console: ConsoleSite) -> None:
    """It is said, and the numbers go; when it is back they are there again."""
    async with visit(browser, console, Role.OPERATOR) as window:
        page = await window.go("operate")
        health = page.locator("#health")
        await expect(health).to_have_text("The relay is not there.")
        await expect(page.locator("#facts")).to_be_hidden()
        await window.check_accessible("operate-empty")
        await console.relay.start()
        await expect(health).to_have_text("It is ready, and takes messages.")
        await expect(page.locator("#tenants")).to_contain_text("No enterprise is registered")
        await expect(page.locator("#desk")).to_contain_text("blindrelay desk operator add")
        await console.relay.stop()
        await expect(health).to_have_text("The relay is not there.")


def re_starts(text: str) -> re.Pattern[str]:
    """What begins with it."""
    return re.compile(f"^{re.escape(text)}")
