"""`blindrelay client notices` and `blindrelay tenant notices`."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.notices import NEUTRAL, sentence
from blindrelay.clients import Enterprise
from blindrelay.clients.device import Device
from blindrelay.clients.vault import CHEAP
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.notices import DisclosureNotice, ServiceNotice
from support import people, site
from support.commands import Ran
from support.orders import notice_order

BOB = UserAddress("globex.example", "bob")


def test_a_user_without_notice_gets_the_sentence_for_everybody(client: Callable[..., Ran]) -> None:
    """Whoever asks is told the same: that there is nothing here does not mean that there was nothing."""
    answers = {client(device, "notices").out for device in ("alice/laptop", "bob/phone")}

    (answer,) = answers
    assert answer.split() == NEUTRAL.split()


def test_nothing_is_nothing_in_json(client: Callable[..., Ran]) -> None:
    """A program gets a line for each notice: none."""
    assert client("alice/laptop", "notices", "--json") == Ran(0, "", "")


async def _a_notice_has_come(folder: Path, home: Path) -> None:
    async with (
        site.relay_in(folder, desk={"enabled": True, "https_port": 0}) as relay,
        people.enterprise(relay, "globex.example") as globex,
    ):
        place = home / "clients" / "globex.example" / "bob" / "phone"
        await globex.issue("bob", "phone", place, "secret", cost=CHEAP)
        await relay.notices.give(notice_order("bob@globex.example"))
        async with Device.open(place, "secret", globex.relay, options=people.BRISK) as bob:
            await bob.fetch_notices()


def test_a_notice_in_words_and_in_json(
    tmp_path: Path, home: Path, blindrelay: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the authority, the instrument and the classes, and says that no message was disclosed."""
    monkeypatch.setenv("BLINDRELAY_PASSPHRASE", "secret")
    asyncio.run(_a_notice_has_come(tmp_path / "relay", home))

    words = blindrelay("client", "notices", "--offline", "--as", "globex.example/bob/phone")
    record = json.loads(blindrelay("client", "notices", "--offline", "--json", "--as", "globex.example/bob/phone").out)

    assert words.code == 0
    for word in ("The District Court", "us/d-order", "No. 17", "to whom you wrote", "No message was"):
        assert word in words.out
    assert (record["kind"], record["classes"]) == ("disclosure", ["SUBSCRIBER", "TRAFFIC"])
    assert set(record["signed"]) == {"body", "signature"}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("noticed", "from 2015-11-30 00:00 UTC on"),
        ("suspended", "is suspended"),
        ("running", "in operation again"),
        ("rescinded", "was taken back"),
    ],
)
def test_every_state_of_the_service_has_a_sentence(state: str, words: str) -> None:
    """Each says where, and by whose order."""
    notice = ServiceNotice.model_validate(
        {
            "id": "x",
            "issued_at": 1,
            "jurisdiction": "pk",
            "state": state,
            "effective": 1_448_841_600,
            "ordered_by": "The Regulator",
        }
    )

    assert words in sentence(notice)
    assert "pk" in sentence(notice)
    assert "The Regulator" in sentence(notice)


def test_a_notice_of_no_calendar() -> None:
    """A relay may say anything: a time that no calendar has is shown as it came."""
    notice = DisclosureNotice(
        id="x",
        issued_at=1,
        user=BOB,
        classes=("ACCESS",),
        since=None,
        until=None,
        disclosed_at=2**53 - 1,
        authority="The Court",
        jurisdiction="us",
        instrument="us/d-order",
        legal_reference="1",
    )

    assert str(2**53 - 1) in sentence(notice)


def test_an_enterprise_asks_about_the_service(blindrelay: Callable[..., Ran], office: Path) -> None:
    """`tenant notices` says so when there is nothing."""
    ran = blindrelay("tenant", "notices", "acme.example", "--home", office)

    assert ran.code == 0
    assert "told acme.example nothing" in ran.out


def test_a_jurisdiction_has_two_letters(blindrelay: Callable[..., Ran], home: Path) -> None:
    """What is none is refused before anything is made."""
    ran = blindrelay("tenant", "create", "acme.example", "--jurisdiction", "USA")

    assert ran.code == 2
    assert "two lower-case letters" in ran.err
    assert not (home / "tenants").exists()


def test_a_jurisdiction_is_remembered_until_it_is_told(blindrelay: Callable[..., Ran], home: Path) -> None:
    """`tenant create --jurisdiction` is what `tenant register` says later."""
    assert blindrelay("tenant", "create", "acme.example", "--jurisdiction", "us").code == 0

    assert Enterprise.open(home / "tenants" / "acme.example").jurisdiction == "us"
