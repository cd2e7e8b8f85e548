"""The transparency report (`relay/desk/report.py`, `pages.py`): counted from real case files, silent where it has to be."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.policies.vocabulary import EventKind, Ground, Outcome
from blindrelay.relay.desk import pages, report
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.journal import FILE_NAME
from blindrelay.relay.desk.report import Band, Report
from blindrelay.relay.errors import Unreadable
from support.clerks import DAY, START, Office, approve_all, refused

YEAR = timedelta(days=365)
BANDED = {"at_least": 0, "at_most": 249}


@pytest.fixture
def made(office: Office) -> Callable[..., Report]:
    """The report of the half-year, as of now or later."""

    def make(since: datetime = START - DAY, until: datetime = START + 180 * DAY, now: datetime | None = None) -> Report:
        cases, turned_away = report.read(office.folder)
        return report.make(
            cases, turned_away, relay="relay", since=since, until=until, now=now or datetime.now(UTC) + YEAR
        )

    return make


def gag(until: datetime | None) -> dict[str, object]:
    return {"non_disclosure": {"legal_basis": "18 USC 2705(b)", "until": until}}


async def test_a_request_from_receipt_to_release(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """Instrument, outcome, class, accounts in a range, and the hours from receipt to the last answer."""
    view = await desk.receive(office.signed(office.request()))
    office.clock.wall += 6 * 3_600
    await approve_all(desk, view)
    await desk.fetch("us-court", view.case_id, "d1", str(uuid4()))

    found = made()

    (line,) = found.lines
    assert (line.jurisdiction, line.instrument, line.requests, line.open) == ("us", "us/d-order", 1, 0)
    assert (line.outcomes, line.median_hours) == ({Outcome.GRANTED: 1}, 6.0)
    assert line.accounts_specified == line.accounts_disclosed == found.released == Band(1, 9)
    assert [(one.what, one.outcomes) for one in found.asked] == [("TRAFFIC", {Outcome.GRANTED: 1})]


async def test_what_was_not_handed_over_was_not_disclosed(
    office: Office, desk: Desk, made: Callable[..., Report]
) -> None:
    """A package that nobody fetched disclosed nothing, and a case that waits for people is open."""
    view = await desk.receive(office.signed(office.request()))
    assert made().lines[0].open == 1
    await approve_all(desk, view)

    line = made().lines[0]
    assert (line.open, line.accounts_disclosed) == (0, Band(0, 0))


async def test_refusals_by_ground(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """Why not is counted, too."""
    office.script.outcomes["d1"] = lambda _: refused(ground=Ground.BULK)
    await desk.receive(office.signed(office.request()))

    (line,) = made().lines
    assert (line.outcomes, line.grounds) == ({Outcome.REFUSED: 1}, {Ground.BULK: 1})


async def test_a_request_that_may_not_be_told_of_is_in_no_cell(
    office: Office, desk: Desk, made: Callable[..., Report]
) -> None:
    """While the order stands the report is that of a relay without the request; after its end the request is counted."""
    nothing = made()
    await desk.receive(office.signed(office.request(**gag(START + 90 * DAY))))

    assert made(now=nothing.made_at.replace(year=2026, month=3, day=3)).lines == ()
    before = made(now=START + 89 * DAY)
    assert (before.lines, before.asked, before.silent) == ((), (), Band(0, 249))
    assert (before.requests, before.released, before.median_hours) == (0, Band(0, 0), None)
    assert made(now=START + 90 * DAY).requests == 1


async def test_a_silence_without_an_end_stays(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """By an order that names no day, or by a statute that has silence built in."""
    await desk.receive(office.signed(office.request(**gag(None))))
    office.script.notice_is_open = True
    await desk.receive(office.signed(office.request()))

    assert made(now=START + 10 * YEAR).requests == 0


async def test_the_report_with_a_secret_reads_like_one_without(
    office: Office, desk: Desk, made: Callable[..., Report]
) -> None:
    """Byte for byte, in every form: the band begins at 0 and is always printed."""
    moment = START + 10 * DAY
    without = [form(made(now=moment)) for form in (pages.markdown, pages.html, pages.as_json)]
    await desk.receive(office.signed(office.request(**gag(None))))
    with_one = [form(made(now=moment)) for form in (pages.markdown, pages.html, pages.as_json)]

    assert without == with_one


async def test_a_period_has_its_first_day_and_not_its_last(
    office: Office, desk: Desk, made: Callable[..., Report]
) -> None:
    """No request is in two reports, and none in neither."""
    await desk.receive(office.signed(office.request()))

    assert made(since=START, until=START + DAY).requests == 1
    assert made(since=START - DAY, until=START).requests == 0


async def test_tests_are_not_counted(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """An authority that tries the door is no request."""
    await desk.receive(office.signed(office.request(is_test=True)))

    assert made().requests == 0


async def test_what_was_turned_away_is_a_number(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """It has no jurisdiction, for nobody knows whose it was."""
    await desk.refuse_unauthenticated("Signature", "0" * 64)

    found = made()
    assert (found.turned_away, found.requests) == (1, 0)


async def test_a_withdrawn_request_is_counted_as_one(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """What the authority took back was asked for all the same."""
    view = await desk.receive(office.signed(office.request()))
    await desk.withdraw("us-court", view.case_id)

    assert made().lines[0].outcomes == {Outcome.WITHDRAWN: 1}
    assert EventKind.WITHDRAWAL


async def test_a_stopped_relay_has_a_report(office: Office, made: Callable[..., Report]) -> None:
    """The case file is enough, and reading it changes nothing."""
    desk = office.desk()
    await desk.start()
    await desk.receive(office.signed(office.request()))
    await desk.close()
    before = (office.folder / FILE_NAME).read_bytes()

    assert made().requests == 1
    assert (office.folder / FILE_NAME).read_bytes() == before


def test_no_case_file_no_report(tmp_path: Path) -> None:
    """A folder without a desk is not reported as one without requests; none is made there."""
    with pytest.raises(Unreadable, match="does not exist"):
        report.read(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_case_file_is_no_source(tmp_path: Path) -> None:
    """What is no database is said to be none."""
    (tmp_path / FILE_NAME).write_bytes(b"x" * 5_000)
    with pytest.raises(Unreadable, match="case file"):
        report.read(tmp_path)


# The pages.


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def _two_outcomes(office: Office, desk: Desk) -> None:
    office.script.outcomes["d2"] = lambda _: refused()
    await desk.receive(office.signed(office.request(office.demand("d1"), office.demand("d2"))))


async def test_the_page_stands_alone(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """Charts are SVG in the page, with names and numbers; there is no script and nothing from elsewhere."""
    await _two_outcomes(office, desk)
    page = pages.html(made())
    parser = _Tags()
    parser.feed(page)

    names = {tag for tag, _ in parser.tags}
    assert "svg" in names
    assert not names & {"script", "link", "img", "iframe"}
    assert not [attributes for _, attributes in parser.tags if {"src", "href"} & set(attributes)]
    for start in [index for index in range(len(page)) if page.startswith("<svg", index)]:
        drawing = ElementTree.fromstring(page[start : page.index("</svg>", start) + 6])
        assert sum(float(bar.get("width") or 0) for bar in drawing.iter("rect")) <= 560.1
    assert "granted: 1" in page
    assert "refused: 1" in page


async def test_the_forms_say_the_same(office: Office, desk: Desk, made: Callable[..., Report]) -> None:
    """Markdown has the numbers of the JSON."""
    await _two_outcomes(office, desk)
    found = made()
    record = json.loads(json.dumps(pages.as_json(found)))

    assert record["requests_by_jurisdiction"] == {"us": 1}
    assert record["requests_not_told"] == BANDED
    assert record["instruments"][0]["outcomes"] == {"granted": 1, "refused": 1}
    assert "| us | us/d-order | 1 | 0 | 1 | 1-9 | 0 | granted 1, refused 1 |" in pages.markdown(found)


@given(st.integers(0, 100_000))
def test_bands_hold_what_they_are_of(count: int) -> None:
    """A band has its number in it, and a few accounts are never an exact number."""
    accounts, silence = Band.of_accounts(count), Band.of_silence(count)

    assert accounts.at_least <= count <= accounts.at_most
    assert (accounts.at_least == accounts.at_most) == (count == 0 or count >= 10)
    assert silence.at_least <= count <= silence.at_most == silence.at_least + 249
