"""The evidence, in a real browser: what it checks by itself goes red when the files that it is given are not the log's."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from blindrelay.console.rights import Role
from support.browsing import Visit, visit
from support.console_site import ConsoleSite, console_in

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]
VERDICT = {
    "check": "canary",
    "title": "No word is anywhere",
    "passed": True,
    "examined": {"bytes of memory": 7},
    "findings": [],
}
PROOF = {
    "passed": True, "quick": True, "at": "2026-11-27T12:00:00+00:00", "seconds": 31.4, "run": {"letters": 106},
    "locks": [{"lock": "keys", "claim": "The relay has no key.", "passed": True, "checks": [VERDICT | {"error": None}]}],
}  # fmt: skip
LEAK = {
    "saboteur": "words-in-log",
    "title": "The words are logged",
    "lock": "keys",
    "caught": True,
    "by": "canary",
    "reason": "log",
}

Change = Callable[[bytes], bytes]


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser, demonstration: ConsoleSite) -> AsyncIterator[Visit]:
    """The view of a demonstration, with the log of its directory."""
    async with visit(browser, demonstration, Role.DEMONSTRATOR) as window:
        await window.go("evidence")
        await expect(window.page.locator("#entries li")).not_to_have_count(0)
        yield window


async def _altered(window: Visit, pattern: str, change: Change) -> None:
    """The console passes on something else than the relay serves."""

    async def alter(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=change(await answer.body()))

    await window.page.route(pattern, alter)
    await window.page.reload()


async def test_log_is_checked_in_the_browser(window: Visit) -> None:
    """Signed, and leading to the number that was signed; and each device is one that somebody has enrolled."""
    head = window.page.locator("#head")
    await expect(head).to_contain_text("signed with the log's key")
    await expect(head).to_contain_text("the tree leads to this number")
    await expect(head).to_contain_text("cosigned by the witness ")
    await expect(head).to_contain_text("as many witnesses as the policy wants")
    await expect(head.locator(".fails")).to_have_count(0)
    await expect(window.page.locator("#alarms")).to_contain_text("no ghosts")
    await expect(window.page.locator("#entries")).to_contain_text("of globex.example, bob/phone")


async def test_entry_is_proved_step_by_step(window: Visit) -> None:
    """By keyboard; at the top it meets the signed number. With one letter changed it does not."""
    page = window.page
    await page.locator("#entries button").first.press("Enter")
    climb = page.locator("#climb")
    while await page.get_by_role("button", name="Next step").count():
        done = await climb.locator(".edge.done").count()
        await page.get_by_role("button", name="Next step").press("Enter")
        await expect(climb.locator(".edge.done")).not_to_have_count(done)
    await expect(climb.locator("p.holds")).to_contain_text("the entry is in the log")
    await page.get_by_role("button", name="Change one letter").press("Enter")
    await expect(climb.locator("p.fails")).to_contain_text("another number")
    await page.get_by_role("button", name="Put it back").press("Enter")
    await expect(climb.locator("p.holds")).to_be_visible()


async def test_tree_is_browsed(window: Visit) -> None:
    """From the root down to an entry, and from there up again."""
    page = window.page
    await page.locator("#tree details details summary").first.press("Enter")
    await page.locator("#tree details details details summary").first.press("Enter")
    await page.locator("#tree .leaf button").first.press("Enter")
    await expect(page.locator("#climb h3")).to_have_text("The way up from entry 0")


def _flipped(at: int) -> Change:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _replaced(old: bytes, new: bytes) -> Change:
    return lambda data: data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("pattern", "change", "complaint"),
    [
        ("checkpoint", _replaced(b"\n\n", b"\nanother line\n\n"), "not signed with the log's key"),
        ("policy", _replaced(b"directory+", b"directory+0"), "not the one that its number says"),
        ("tile/0/**", _flipped(3), "the tree does not lead to this number"),
    ],
)
async def test_what_is_not_the_logs_is_noticed(window: Visit, pattern: str, change: Change, complaint: str) -> None:
    """Whoever stands between the relay and the page, the console itself first of all."""
    await _altered(window, f"**/directory/{pattern}", change)
    await expect(window.page.locator("#head")).to_contain_text(complaint)
    assert await window.page.locator("#head .fails, #head .refused").count() > 0


async def test_entry_that_is_not_the_logs_leads_elsewhere(window: Visit) -> None:
    """The list shows what it is given; the way up says that it is not in the log."""
    await _altered(window, "**/tile/entries/**", _replaced(b"acme.example", b"evil.example"))
    page = window.page
    await page.locator("#entries button").last.click()
    await page.get_by_role("button", name="All steps").click()
    await expect(page.locator("#climb p.fails")).to_contain_text("another number")


async def test_ghost_is_an_alarm(window: Visit) -> None:
    """A device that its enterprise knows nothing of: here the enterprise has forgotten one, and that is the same."""

    def forget(data: bytes) -> bytes:
        enrolled = json.loads(data)
        enrolled["globex.example"].popitem()
        return json.dumps(enrolled).encode()

    await _altered(window, "**/enrolled", forget)
    await expect(window.page.locator("#alarms")).to_contain_text("1 devices that nobody has enrolled")
    await expect(window.page.locator("#entries .alarm")).to_contain_text("globex.example has enrolled no such device")


async def test_relay_goes_away_and_comes_back(window: Visit, demonstration: ConsoleSite) -> None:
    """What was checked stays, and is said to be of before; an entry can still be climbed from. Then it goes on."""
    page = window.page
    await page.locator("#entries button").first.click()
    await demonstration.relay.stop()
    await expect(page.locator("#stale")).to_be_visible()
    await page.get_by_role("button", name="All steps").click()
    await expect(page.locator("#climb p.holds")).to_contain_text("the entry is in the log")
    await demonstration.relay.start()
    await expect(page.locator("#stale")).to_be_hidden()
    await expect(page.locator("#head")).to_contain_text("the tree leads to this number")
    window.complaints.clear()  # Chromium writes on its console what could not be fetched


async def test_requests_are_in_the_other_log(window: Visit) -> None:
    """The court's orders, as far as they may be told of: commitments at least."""
    await window.page.get_by_role("button", name="Lawful access").press("Enter")
    await expect(window.page.locator("#entries")).to_contain_text("A sealed note")
    await expect(window.page.locator("#head .fails")).to_have_count(0)


async def test_proof_and_leaks_of_files(browser: Browser, tmp_path: Path) -> None:
    """What a proof has printed, and what a matrix has written; without them it is said how they come."""
    async with console_in(tmp_path) as console, visit(browser, console, Role.AUDITOR) as window:
        page = await window.go("evidence")
        await expect(page.locator("#proof-state")).to_contain_text("--proof FILE")
        await expect(page.locator("#leaks")).to_contain_text("--matrix FILE")
        await expect(page.get_by_role("button", name="Prove it now")).to_be_hidden()
        await expect(page.locator("#head")).to_contain_text("blindrelay up")
        await window.check_accessible("evidence-empty")
        console.desktop.proof_file, console.desktop.matrix_file = tmp_path / "proof.json", tmp_path / "matrix.json"
        console.desktop.proof_file.write_text(json.dumps(PROOF))
        console.desktop.matrix_file.write_text(json.dumps({"saboteurs": [LEAK]}))
        await page.reload()
        await expect(page.locator("#proof-state")).to_contain_text("Every lock holds")
        await expect(page.locator("#locks")).to_contain_text("The relay has no key")
        await expect(page.locator("#leaks")).to_contain_text("1 of 1 found")


async def test_accessible(window: Visit) -> None:
    """With an entry proved."""
    await window.page.locator("#entries button").first.click()
    await window.page.get_by_role("button", name="All steps").click()
    await window.check_accessible("evidence")
