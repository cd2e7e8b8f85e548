"""An authority asks, the desk answers, two persons approve: real requests, real decisions, real packages."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from blindrelay.console.cast.script import SCRIPT
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Role
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.operators import Operators
from support.browsing import Visit, visit
from support.console_site import ConsoleSite, console_in

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser, demonstration: ConsoleSite) -> AsyncIterator[Visit]:
    """The view, as the demonstrator has it, with the form there."""
    async with visit(browser, demonstration, Role.DEMONSTRATOR) as window:
        await window.go("demand")
        await expect(window.page.locator("#ask")).to_be_visible()
        await expect(window.page.locator("#cases li")).not_to_have_count(0)
        yield window


async def _hand_in(page: Page) -> None:
    await page.get_by_role("button", name="Sign it and hand it in").press("Enter")
    await expect(page.locator("#asked")).to_contain_text("Handed in and decided")


async def _approve(page: Page) -> None:
    for person, approved in (("ada", "ada"), ("bea", "ada and bea")):
        await page.get_by_role("button", name=f"{person} approves").press("Enter")
        await expect(page.locator(".actions")).to_contain_text(f"Approved by {approved}")


async def test_warrant_for_words_is_answered_not_held(window: Visit) -> None:
    """The letter says for each class what comes of it and why, what the law says, and what would have to differ."""
    page = window.page
    await _hand_in(page)
    letter = page.locator(".letter-card")
    await expect(letter.locator("dt").filter(has_text="Words")).to_contain_text("refused (not held)")
    await expect(letter.locator("dt").filter(has_text="Who wrote to whom")).to_contain_text("granted")
    await expect(letter).to_contain_text("The law beside it")
    await expect(letter).to_contain_text("Nothing that an instrument could say would change that")
    await page.get_by_role("button", name="Show invariants/content").press("Enter")
    marked = page.locator("#policy .marked")
    await expect(marked.first).to_have_text('@id("content")')
    await expect(marked.first).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(page.locator("#policy")).to_be_hidden()


async def test_who_is_at_a_button_stays_there_when_the_answer_is_drawn_anew(window: Visit) -> None:
    """Somebody else approves meanwhile; the keyboard is where it was."""
    page = window.page
    await _hand_in(page)
    mine = page.get_by_role("button", name="Refuse it")
    await mine.focus()
    # No mouse and no key: nothing else moves the focus.
    await page.get_by_role("button", name="ada approves").dispatch_event("click")
    await expect(page.locator(".actions")).to_contain_text("Approved by ada")
    await expect(mine).to_be_focused()


async def test_package_is_opened_after_two_approvals(window: Visit) -> None:
    """Nothing before; then records in a table, and not a word of what people wrote."""
    page = window.page
    await _hand_in(page)
    assert await page.get_by_role("button", name="Fetch the package").count() == 0
    await _approve(page)
    await page.get_by_role("button", name="Fetch the package").press("Enter")
    await expect(page.locator(".package table th").first).to_have_text("message id")
    await expect(page.locator(".package table tbody tr")).not_to_have_count(0)
    text = await page.locator("#case").inner_text()
    assert not [line.text for line in SCRIPT if line.text in text]


async def test_person_refuses_what_the_policies_would_give(window: Visit) -> None:
    """It is final."""
    page = window.page
    await _hand_in(page)
    await page.get_by_role("button", name="Refuse it").press("Enter")
    await expect(page.locator(".letter-card .outcome.metadata")).to_have_count(0)
    assert await page.get_by_role("button", name="ada approves").count() == 0


@pytest.mark.parametrize("wanted", ["everybody", "a ghost device"])
async def test_too_much_is_refused(window: Visit, wanted: str) -> None:
    """And it is said what would have to differ."""
    page = window.page
    if wanted == "everybody":
        await page.get_by_label("About whom").fill("*")
    else:
        await page.get_by_label("Or have something built").select_option("ghost device")
    await _hand_in(page)
    await expect(page.locator(".letter-card .outcome.refused")).not_to_have_count(0)
    await expect(page.locator(".letter-card .outcome.metadata")).to_have_count(0)
    await expect(page.locator(".letter-card")).to_contain_text("bulk" if wanted == "everybody" else "capability")


async def test_form_that_makes_no_request_is_said(window: Visit) -> None:
    """Nothing asked for."""
    page = window.page
    for name in ("Words", "Who wrote to whom"):
        await page.get_by_label(name).uncheck()
    await page.get_by_role("button", name="Sign it and hand it in").click()
    await expect(page.locator("#asked .refused")).to_contain_text("Classes")
    window.complaints.clear()  # Chromium writes every 409 on its console


async def _order(page: Page, length: str) -> None:
    """A real-time order, approved."""
    await page.get_by_label("Under which instrument").select_option("us/pen-trap")
    await page.get_by_label("How", exact=True).select_option("stream")
    await page.get_by_label("For how long").select_option(length)
    await page.get_by_label("Words").uncheck()
    await _hand_in(page)
    await _approve(page)


async def test_real_time_order_stops_by_itself(window: Visit, demonstration: ConsoleSite) -> None:
    """What arises is in the table as it comes; at the second of its end it stops, and nothing later is in it."""
    page = window.page
    await _order(page, "15")
    await expect(page.locator(".package")).to_contain_text("It stopped at")
    await expect(page.locator(".package table tbody tr")).not_to_have_count(0)
    number = (await page.locator("[data-stream]").get_attribute("data-stream") or "").partition("/")[0]
    state = demonstration.desktop.channels.authority.get(f"stream/{number}/d1")
    until = float(await page.locator("[data-stream]").get_attribute("data-until") or 0)
    assert state is not None
    assert state["ended"]["reason"] == "order-ended"
    assert all(datetime.fromisoformat(row["accepted"]).timestamp() < until for row in state["rows"])


async def test_real_time_order_outlives_the_relay(window: Visit, demonstration: ConsoleSite) -> None:
    """While the relay is away it is said at the desk; when it is back, what arises goes on coming into the same table."""
    page = window.page
    await _order(page, "600")
    rows = page.locator(".package table tbody tr")
    await expect(rows).not_to_have_count(0)
    await demonstration.relay.stop()
    await expect(page.locator("#desk")).to_contain_text("is the relay running?")
    before = await rows.count()
    await demonstration.relay.start()
    await expect(page.locator("#cases li")).not_to_have_count(0)
    await expect(rows.nth(before)).to_be_visible()
    window.complaints.clear()  # Chromium writes every 409 on its console


async def test_accessible(window: Visit) -> None:
    """The form, a letter, an opened package; and the policy over it."""
    page = window.page
    await _hand_in(page)
    await _approve(page)
    await page.get_by_role("button", name="Fetch the package").press("Enter")
    await expect(page.locator(".package table")).to_be_visible()
    await window.check_accessible("demand")
    await page.get_by_role("button", name="Show invariants/content").click()
    await window.check_accessible("demand-policy")


async def test_operator_without_a_token_is_told_how(browser: Browser, quiet: ConsoleSite) -> None:
    """There is no form, and no list either: whose list would it be?"""
    async with visit(browser, quiet, Role.OPERATOR) as window:
        await window.go("demand")
        await expect(window.page.locator("#desk")).to_contain_text("blindrelay desk operator add")
        await expect(window.page.locator("#ask")).to_be_hidden()
        await window.check_accessible("demand-empty")


async def test_operator_with_a_token_sees_the_desk(tmp_path: Path) -> None:
    """In the name of the person whose token it is; when the relay is away that is a sentence."""
    async with console_in(tmp_path, desk={"enabled": True, "https_port": 0}) as console:
        await console.relay.start()
        journal = Journal.open(console.relay.folder)
        token = tmp_path / "ada.token"
        token.write_text(Operators(journal).add("ada", at=datetime.now(UTC)) + "\n")
        journal.close()
        console.desktop.token_file = token
        async with httpx.AsyncClient(base_url=console.url, headers={"origin": console.url}) as http:
            link = console.link(Role.OPERATOR).partition("#")[2]
            await http.post("/sign-in", json={"token": link})
            assert (await http.get("/api/demand/cases")).json() == {"people": [], "cases": [], "reason": ""}
            gone = await http.post(
                f"/api/demand/cases/{'0' * 8}-0000-4000-8000-{'0' * 12}/approvals", json={"demand_id": "d1"}
            )
            assert gone.status_code == 409
            await console.relay.stop()
            away = await http.get("/api/demand/cases")
            assert "relay running" in away.json()["reason"]


async def test_nobody_asks_where_there_is_no_demonstration(tmp_path: Path) -> None:
    """An operator files nothing in an authority's name."""
    desktop = Desktop(tmp_path)
    assert desktop.demonstration is None
    assert not [role for role in desktop.roles if role is Role.DEMONSTRATOR]
