"""One message, three times: a real relay, real people in their own process, and a court with an order."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from blindrelay.console.cast.script import SCRIPT
from blindrelay.console.channels import KEPT
from blindrelay.console.rights import Role
from support.browsing import Visit, visit
from support.console_site import ConsoleSite

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser, demonstration: ConsoleSite) -> AsyncIterator[Visit]:
    """The live view, as the demonstrator has it; people talk."""
    async with visit(browser, demonstration, Role.DEMONSTRATOR, "live") as window:
        await expect(window.page.locator(".message").first).to_be_visible()
        yield window


async def _paused(window: Visit) -> Page:
    """Everything stands still, with a message that has been read."""
    page = window.page
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Continue")).to_be_visible()
    return page


async def _said(window: Visit, words: str) -> Any:
    """Say something, and return the row of it."""
    await window.page.get_by_label("Let Alice write to Bob").fill(words)
    await window.page.get_by_role("button", name="Send").click()
    row = window.page.locator(".message").filter(has_text=words)
    await expect(row).to_be_visible()
    return row


async def _whole(console: ConsoleSite, name: str) -> str:
    """Everything that a stream has to tell somebody who comes now."""
    async with httpx.AsyncClient(base_url=console.url) as http:
        token = console.link(Role.DEMONSTRATOR).partition("#")[2]
        await http.post("/sign-in", json={"token": token}, headers={"origin": console.url})
        async with http.stream("GET", f"/events/{name}") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    return line
    raise AssertionError("it ended before it began")


async def test_the_same_message_in_three_columns(window: Visit) -> None:
    """Words on one side; on the others who, when and how large."""
    row = await _said(window, "The password is swordfish.")
    await expect(row.locator(".people")).to_contain_text("The password is swordfish.")
    await expect(row.locator(".people .ticks")).to_contain_text("bob: was read")
    await expect(row.locator(".relay")).to_contain_text("alice/laptop → bob/phone")
    await expect(row.locator(".court .line")).to_have_count(2)
    await expect(row.locator(".court")).to_contain_text("Words: not held")


async def test_envelope_waits_and_then_is_gone(window: Visit, demonstration: ConsoleSite) -> None:
    """While bob's devices are off its bytes are there to be looked at; then the relay has erased them."""
    page = await _paused(window)
    row = await _said(window, "Nobody is at home.")
    await expect(row.locator(".relay figcaption")).to_contain_text("Waits")
    await row.get_by_role("button", name="Show all 2,048 bytes").click()
    whole = re.compile(r"^[0-9a-f]{2}( [0-9a-f]{2}){2047}$")
    await expect(row.locator(".relay .hex")).to_have_text(whole)
    await row.locator(".bubble").click()  # the row is drawn anew, and what was unfolded stays so
    await expect(page.locator(".message.chosen")).to_have_count(1)
    await expect(row.locator(".relay .hex")).to_have_text(whole)
    await row.locator(".bubble").click()
    await page.get_by_role("button", name="Continue").click()
    await expect(row.locator(".people .ticks")).to_contain_text("was read")
    await row.locator(".bubble").click()
    await expect(row.locator(".relay figcaption")).to_contain_text("Gone")
    assert demonstration.desktop.channels.relay.get("total") is not None


async def test_words_are_in_no_other_stream(window: Visit, demonstration: ConsoleSite) -> None:
    """What the relay keeps and what the court gets is sent to the browser without a word of what people wrote."""
    await _said(window, "Swordfish, again.")
    await expect(window.page.locator(".message").first.locator(".court .line").first).to_be_visible()
    texts = {"Swordfish, again.", *(line.text for line in SCRIPT), *(line.subject for line in SCRIPT if line.subject)}
    assert "Swordfish, again." in await _whole(demonstration, "clients")
    for name in ("relay", "authority", "status"):
        told = await _whole(demonstration, name)
        assert '"items":[{' in told, name
        assert not [text for text in texts if json.dumps(text)[1:-1] in told], name


async def test_what_people_write_is_text(window: Visit) -> None:
    """Whatever it looks like."""
    row = await _said(window, "<b>not bold</b><img src=x onerror=alert(1)>")
    await expect(row.locator(".words")).to_have_text("<b>not bold</b><img src=x onerror=alert(1)>")
    assert await row.locator("b, img").count() == 0


async def test_message_lights_up_in_all_three(window: Visit) -> None:
    """By mouse and by keyboard; Escape lets go."""
    page = await _paused(window)
    row = page.locator(".message").last
    await row.locator(".bubble").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.chosen")).to_have_count(1)
    await expect(row.locator(".bubble")).to_be_focused()
    await expect(row.locator(".bubble")).to_have_attribute("aria-expanded", "true")
    await expect(row.locator(".relay .record")).to_contain_text("message id")
    await page.keyboard.press("Escape")
    await expect(page.locator(".message.chosen")).to_have_count(0)
    await page.locator(".message").first.locator(".bubble").click()
    await expect(page.locator(".message").first).to_have_class("message arrives chosen")


async def test_standard_and_sealed_side_by_side(window: Visit) -> None:
    """The same words twice: one record says who sent them, the other one does not."""
    await window.page.get_by_role("button", name="Side by side").click()
    row = window.page.locator(".message").filter(has=window.page.locator(".relay.pair")).first
    await expect(row.locator(".relay .posture")).to_have_text(["standard", "sealed"])
    standard, sealed = row.locator(".relay .sending").first, row.locator(".relay .sending").last
    await expect(sealed).to_contain_text("none")
    await expect(standard).not_to_contain_text("none")


async def test_sealed_hides_from_the_court_who_wrote(window: Visit) -> None:
    """What bob writes sealed is no record about bob: the order yields the standard one alone, and it is said why."""
    await window.page.get_by_role("button", name="Side by side").click()
    row = (
        window.page.locator(".message")
        .filter(has=window.page.locator(".court.pair"))
        .filter(has_text="bob/phone to")
        .first
    )
    await expect(row.locator(".court .sending").last).to_contain_text("That bob wrote it is written down nowhere")
    await expect(row.locator(".court .sending").first.locator(".line")).not_to_have_count(0)


async def test_relay_goes_away_while_people_write(window: Visit, demonstration: ConsoleSite) -> None:
    """It is said; what was written waits on its device, and goes out when the relay is back."""
    page = window.page
    await demonstration.relay.stop()
    await expect(page.locator("#now")).to_contain_text("The relay has gone away")
    await demonstration.relay.start()
    await expect(page.locator("#now")).to_be_hidden()
    row = await _said(window, "Are you still there?")
    await expect(row.locator(".people .ticks")).to_contain_text("bob: was read")
    await expect(row.locator(".court .line")).to_have_count(2)


async def test_many_messages_are_few_rows(window: Visit) -> None:
    """However many there are, the page holds the last ones."""
    page = window.page
    await page.get_by_role("button", name="Fifty").click()
    await expect(page.locator(".message")).to_have_count(24)
    newest = await page.locator(".message").first.get_attribute("data-key")
    await expect(page.locator(f".message[data-key={newest}]")).to_have_count(0)
    assert await page.locator(".message").count() <= 24


async def test_order_is_known_to_those_who_come_later(window: Visit, demonstration: ConsoleSite) -> None:
    """More has happened since than is kept of what passes by: what lasts is told to a page that is opened only now."""
    authority = demonstration.desktop.channels.authority
    for number in range(2 * KEPT):
        authority.put(f"passing-{number}", {"kind": "yielded"})
    page = await window.go("live")
    await expect(page.locator("#about-court")).to_contain_text("about bob@globex.example: granted")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    row = await _said(window, "Is anybody listening?")
    await expect(row.locator(".court .line")).to_have_count(2)


async def test_operator_sees_the_relay_alone(browser: Browser, demonstration: ConsoleSite) -> None:
    """Who runs a relay sees what it keeps; the words are not on the page, and not sent to it."""
    async with visit(browser, demonstration, Role.OPERATOR, "live") as window:
        row = window.page.locator(".message").first
        await expect(row.locator(".bubble")).to_contain_text("Not here.")
        await expect(row.locator(".relay")).to_contain_text("→")
        await expect(window.page.locator("#direct")).to_be_hidden()
        assert not [url for url in window.asked if url.endswith(("/events/clients", "/events/authority"))]


async def test_empty_without_a_relay(browser: Browser, console: ConsoleSite) -> None:
    """What to do is said where nothing is to be seen."""
    async with visit(browser, console, Role.OPERATOR, "live") as window:
        await expect(window.page.locator("#empty")).to_contain_text("blindrelay up")
        await console.relay.start()
        await expect(window.page.locator("#empty")).to_contain_text("Nobody has written anything yet")
        await window.check_accessible("live-empty")


async def test_accessible(window: Visit) -> None:
    """One message in detail, in both postures."""
    await window.page.get_by_role("button", name="Side by side").click()
    await expect(window.page.locator(".message").first.locator(".relay.pair .record")).to_have_count(2)
    await _paused(window)
    await window.check_accessible("live")


async def test_console_asks_for_nothing_that_is_not_there(demonstration: ConsoleSite) -> None:
    """An envelope that nobody remembers is a sentence."""
    async with httpx.AsyncClient(base_url=demonstration.url) as http:
        token = demonstration.link(Role.OPERATOR).partition("#")[2]
        await http.post("/sign-in", json={"token": token}, headers={"origin": demonstration.url})
        answer = await http.get(f"/api/live/envelopes/{'0' * 32}")
        assert (answer.status_code, "gone" in answer.text) == (404, True)
