"""The warrant canary (`relay/desk/canary.py`): true, signed, dated, and dropped rather than falsified."""

from datetime import timedelta
from pathlib import Path

import pytest

from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.statements import Purpose, Signed
from blindrelay.relay.desk import canary, report
from blindrelay.relay.desk.canary import Canary
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.identity import DeskIdentity
from support.clerks import DAY, START, Office, still_clock

GAG = {"non_disclosure": {"legal_basis": "18 USC 2705(b)", "until": START + 90 * DAY}}
EVERYWHERE = ("us", "eu", "uk", "pk")


def now_said(office: Office) -> tuple[str, ...]:
    cases, _ = report.read(office.folder)
    return canary.statement(cases, EVERYWHERE, relay="relay", now=office.now).jurisdictions


@pytest.fixture
def identity(tmp_path: Path) -> DeskIdentity:
    """A desk's key."""
    return DeskIdentity.open(tmp_path, still_clock())


@pytest.fixture
def signed(identity: DeskIdentity) -> Signed:
    """A statement of today."""
    return canary.sign(canary.statement([], EVERYWHERE, relay=identity.id, now=START), identity.sign)


async def test_a_jurisdiction_falls_silent_with_the_first_such_request(office: Office, desk: Desk) -> None:
    """It is left out, without a word about why; the others stay."""
    await desk.receive(office.signed(office.request()))
    assert now_said(office) == ("eu", "pk", "us")

    await desk.receive(office.signed(office.request(**GAG)))

    assert now_said(office) == ("eu", "pk")


async def test_it_does_not_speak_again(office: Office, desk: Desk) -> None:
    """When the order has ended the request is in the transparency report; "never" is not true again."""
    await desk.receive(office.signed(office.request(**GAG)))
    office.clock.wall = (START + 400 * DAY).timestamp()
    await desk.tick()

    assert "us" not in now_said(office)


async def test_silence_that_a_statute_has_built_in_counts(office: Office, desk: Desk) -> None:
    """Also without an order of its own."""
    office.script.notice_is_open = True
    await desk.receive(office.signed(office.request()))

    assert "us" not in now_said(office)


async def test_an_authoritys_test_is_no_request(office: Office, desk: Desk) -> None:
    """Else anybody in the register could switch the canary off by trying the door."""
    await desk.receive(office.signed(office.request(is_test=True, **GAG)))

    assert "us" in now_said(office)


def test_where_the_law_forbids_it_nothing_is_ever_said() -> None:
    """The United Kingdom: the existence of a warrant or notice is not to be disclosed, and so not to be denied."""
    assert not canary.can_be_said([], "uk")
    assert canary.can_be_said([], "us")


def test_what_is_left_out_leaves_no_trace(identity: DeskIdentity) -> None:
    """A statement that never named a jurisdiction, and one that no longer can, are the same bytes."""
    never = canary.statement([], ("us", "eu"), relay=identity.id, now=START)
    forbidden = canary.statement([], ("us", "eu", "uk"), relay=identity.id, now=START)

    assert never.model_dump_json() == forbidden.model_dump_json()


def test_a_statement_verifies_until_it_lapses(identity: DeskIdentity, signed: Signed) -> None:
    """From the moment that it was made, up to its last second."""
    found = canary.check(signed, identity.certificate, START)
    assert found.jurisdictions == ("eu", "pk", "us")
    assert canary.check(signed, identity.certificate, START + timedelta(days=34, hours=23)) == found

    for moment in (START - DAY, START + timedelta(days=35)):
        with pytest.raises(VerificationFailed, match="validity"):
            canary.check(signed, identity.certificate, moment)


def test_a_statement_of_somebody_else_is_none(signed: Signed, tmp_path: Path) -> None:
    """Another key, other words, another purpose."""
    (tmp_path / "other").mkdir()
    other = DeskIdentity.open(tmp_path / "other", still_clock())
    changed = Signed(body=signed.body.replace(b'"us"', b'"uk"'), signature=signed.signature)
    notice = Signed.create(Purpose.NOTICE, Canary.model_validate_json(signed.body), other.key)

    for false in (signed, changed, notice):
        with pytest.raises(VerificationFailed, match="canary"):
            canary.check(false, other.certificate, START)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"body": "x"}'])
def test_what_is_no_statement(data: bytes) -> None:
    """A file of another kind is said to be one."""
    with pytest.raises(Malformed, match="no signed statement"):
        canary.parse(data)


def test_in_words(signed: Signed) -> None:
    """Who, since when, of whom, until when, and what it does not mean."""
    words = canary.text(Canary.model_validate_json(signed.body))

    assert "**eu, pk, us**" in words
    assert "02 March 2026" in words
    assert "06 April 2026" in words
    assert "no proof and no legal advice" in words
    assert "uk" not in words.split()
