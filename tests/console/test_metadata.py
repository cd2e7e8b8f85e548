"""Metadata is not nothing, in a real browser."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from blindrelay.console.rights import Role
from blindrelay.proofs.traffic.population import invent
from support.browsing import visit
from support.console_site import ConsoleSite

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def test_invented_company_is_seen_through(browser: Browser, quiet: ConsoleSite) -> None:
    """For an auditor, without a relay: groups, the boss, and how good that is, standard beside sealed."""
    async with visit(browser, quiet, Role.AUDITOR) as window:
        page = await window.go("metadata")
        await expect(page.locator("#say")).to_contain_text("is probably the boss")
        await expect(page.locator("#measured tbody th")).to_have_text(
            ["Who writes to whom", "Who belongs together", "Who is the boss", "Who works when", "Who answers soon"]
        )
        await expect(page.locator("#measured .measure")).to_have_text([re.compile("share|how much", re.IGNORECASE)] * 5)
        await expect(page.locator("#standard .hours rect")).to_have_count(12 * 24)
        await expect(page.locator("#standard")).to_contain_text("half of the time within")
        await expect(page.locator("#standard .graph")).to_have_attribute("aria-label", re_contains("96 people"))
        await expect(page.locator("#sealed")).to_contain_text("Without a sender nobody sees who has answered whom")
        await expect(page.get_by_role("button", name="This relay's")).to_have_count(0)
        await page.locator("#standard figure summary").first.press("Enter")
        await expect(page.locator("#standard figure table").first).to_be_visible()
        await window.check_accessible("metadata")


async def test_trace_of_ones_own(browser: Browser, quiet: ConsoleSite, tmp_path: Path) -> None:
    """A file of what an institution has written, read in the browser; one that is no trace is a sentence."""
    scenario = invent(people=60, days=5, seed=4)
    lines = [f"{event.sender} {to} {event.at:.0f}" for event in scenario.events for to in event.recipients]
    good, bad = tmp_path / "trace.txt", tmp_path / "bad.txt"
    good.write_text("\n".join(lines))
    bad.write_text("<b>not</b> a trace\n")
    async with visit(browser, quiet, Role.AUDITOR) as window:
        page = await window.go("metadata")
        await expect(page.locator("#say")).to_contain_text("is probably the boss")
        await page.get_by_label("Or a trace of your own").set_input_files(good)
        await expect(page.locator("#say")).to_contain_text(f"From {len(lines)} records of")
        await expect(page.locator("#held")).to_contain_text("sealed is held against what standard shows")
        await expect(page.locator("#measured tbody tr").first).to_contain_text("held against")
        await page.get_by_label("Or a trace of your own").set_input_files(bad)
        await expect(page.locator("#say")).to_contain_text("Line 1 of the trace")
        await expect(page.locator("#findings")).to_be_hidden()
        window.complaints.clear()  # Chromium writes every 409 on its console


async def test_much_traffic_is_a_small_answer(quiet: ConsoleSite) -> None:
    """The page is sent what it draws, whatever that was drawn from."""
    scenario = invent(people=300, days=20, seed=4)
    lines = [f"{event.sender} {to} {event.at:.0f}" for event in scenario.events for to in event.recipients]
    async with httpx.AsyncClient(base_url=quiet.url, headers={"origin": quiet.url}) as http:
        await http.post("/sign-in", json={"token": quiet.link(Role.AUDITOR).partition("#")[2]})
        wanted = {"source": "trace", "trace": "\n".join(lines)}
        answer = await http.post("/api/metadata/conclusions", json=wanted, timeout=None)
    found = answer.json()
    assert found["records"] == len(lines) > 3_000
    assert len(answer.content) < 40_000 < len(wanted["trace"])


async def test_this_relays_people(browser: Browser, demonstration: ConsoleSite) -> None:
    """Who runs it sees what could be concluded of them, live."""
    async with visit(browser, demonstration, Role.OPERATOR) as window:
        page = await window.go("metadata#live")
        own = page.get_by_role("button", name="This relay's")
        await expect(page.locator("#say")).to_contain_text("records of 4 people")
        await expect(own).to_have_attribute("aria-pressed", "true")
        await page.get_by_role("button", name="A company that does not exist").press("Enter")
        await expect(page.locator("#say")).to_contain_text("records of 96 people")
        await own.press("Enter")
        await page.reload()
        await expect(page.locator("#say")).to_contain_text("records of 4 people")


async def test_empty_relay_tells_nothing(browser: Browser, console: ConsoleSite) -> None:
    """And says so."""
    await console.relay.start()
    async with visit(browser, console, Role.OPERATOR) as window:
        page = await window.go("metadata#live")
        await expect(page.locator("#say")).to_contain_text("There are no records yet")
        await expect(page.locator("#findings")).to_be_hidden()
        await window.check_accessible("metadata-empty")


async def test_auditor_concludes_nothing_of_real_people(quiet: ConsoleSite) -> None:
    """Records of a relay's own people are its operator's to see."""
    async with httpx.AsyncClient(base_url=quiet.url, headers={"origin": quiet.url}) as http:
        await http.post("/sign-in", json={"token": quiet.link(Role.AUDITOR).partition("#")[2]})
        answer = await http.post("/api/metadata/conclusions", json={"source": "live"})
        assert answer.status_code == 403


def re_contains(text: str) -> re.Pattern[str]:
    """What has it in it."""
    return re.compile(re.escape(text))
