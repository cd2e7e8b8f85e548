"""The transparency report for everybody: a period, or a sentence about what a period is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette

from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.public import PATH, PublicReport
from support.clerks import Office


@asynccontextmanager
async def reader(desk: Desk, office: Office) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who reads what is public."""
    app = Starlette(routes=[PublicReport(desk.journal, "relay", office.clock).route()])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://relay") as http:
        yield http


def period(office: Office) -> dict[str, str]:
    """The year around now."""
    return {"from": f"{office.now.year}-01-01", "to": f"{office.now.year + 1}-01-01"}


async def test_it_counts_what_has_come(desk: Desk, office: Office) -> None:
    """At once: what the log has, the report has, however lately somebody asked."""
    async with reader(desk, office) as http:
        before = (await http.get(PATH, params=period(office))).json()
        await desk.receive(office.signed(office.request()))
        after = (await http.get(PATH, params=period(office))).json()
    assert (before["requests"], after["requests"]) == (0, 1)
    assert after["instruments"][0]["instrument"] == "us/d-order"


async def test_what_must_not_be_told_of_is_in_no_cell(desk: Desk, office: Office) -> None:
    """A gagged request is in the band that is always there."""
    gag = {"non_disclosure": {"legal_basis": "18 USC 2705(b)", "until": None}}
    await desk.receive(office.signed(office.request(**gag)))
    async with reader(desk, office) as http:
        told = (await http.get(PATH, params=period(office))).json()
    assert (told["requests"], told["instruments"]) == (0, [])
    assert told["requests_not_told"] == {"at_least": 0, "at_most": 249}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"from": "2026-01-01"},
        {"from": "x", "to": "y"},
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"from": "1", "to": "2"},
    ],
)
async def test_what_is_no_period_is_a_sentence(desk: Desk, office: Office, params: dict[str, str]) -> None:
    """With what was expected."""
    async with reader(desk, office) as http:
        answer = await http.get(PATH, params=params)
    assert answer.status_code == 400
    assert "YYYY-MM-DD" in answer.text


async def test_nobody_makes_it_do_the_work_again_and_again(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same period within a moment is answered from memory, while nothing has happened."""
    made = 0
    honest = PublicReport._make

    def counted(self: PublicReport, *given: object) -> object:
        nonlocal made
        made += 1
        return honest(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(PublicReport, "_make", counted)
    async with reader(desk, office) as http:
        for _ in range(5):
            await http.get(PATH, params=period(office))
        office.clock.advance(60)
        await http.get(PATH, params=period(office))
    assert made == 2
