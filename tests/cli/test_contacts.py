"""`blindrelay client contacts` and `group`."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from blindrelay.cli.exit_codes import ExitCode
from support.commands import Ran

Call = Callable[..., Ran]
ALICE, BOB = "alice@acme.example", "bob@acme.example"


def test_both_sides_see_the_same_safety_number(client: Call) -> None:
    """Sixty digits, alike on both sides; it stays unverified until somebody says that it was compared."""
    mine = client("alice/laptop", "contacts verify", BOB)
    theirs = client("bob/phone", "contacts verify", ALICE)
    assert re.findall(r"\d{5}", mine.out) == re.findall(r"\d{5}", theirs.out)
    assert len(re.findall(r"\d{5}", mine.out)) == 12
    assert "stays unverified" in mine.err
    before = json.loads(client("alice/laptop", "contacts verify", BOB, "--json").out)
    assert before["verified"] is False

    assert client("alice/laptop", "contacts verify", BOB, "--yes").code == 0
    listed = [json.loads(line) for line in client("alice/laptop", "contacts list", "--json").out.splitlines()]
    assert {entry["user"]: entry["verified"] for entry in listed}[BOB] is True


def test_nobody_to_verify_is_refused(client: Call) -> None:
    """Somebody whom the relay does not know has no safety number."""
    assert client("alice/laptop", "contacts verify", "nobody@acme.example").code == ExitCode.REFUSED


def test_archive_is_shown_to_who_writes(client: Call, blindrelay: Call, office: Path) -> None:
    """Who writes to somebody whose enterprise keeps an archive is told, every time."""
    enrol = ("tenant", "enrol", "acme.example", "carol", "--home", office)
    for device in ("desktop", ("records", "--archive")):
        assert blindrelay(*enrol, *([device] if isinstance(device, str) else device)).code == 0
    sent = client("alice/laptop", "send", "carol@acme.example", "hello")
    assert "acme.example/carol/records" in sent.err
    assert "archive" in sent.err
    listed = [json.loads(line) for line in client("alice/laptop", "contacts list", "--json").out.splitlines()]
    assert {entry["user"]: entry["archives"] for entry in listed}["carol@acme.example"] == [
        "acme.example/carol/records"
    ]
    assert "carol@acme.example" in client("alice/laptop", "contacts list").out


def test_group_is_written_to_by_its_name(client: Call) -> None:
    """Its members learn of it with the first message, and can answer it."""
    assert client("alice/laptop", "group create", "Project X", BOB).code == 0
    client("alice/laptop", "send", "Project X", "to all of you")
    heard = json.loads(client("bob/phone", "listen", "--count", 1, "--json").out)
    assert (heard["group"]["name"], heard["text"]) == ("Project X", "to all of you")
    assert client("bob/phone", "send", "Project X", "heard").code == 0
    assert "heard" in client("alice/laptop", "listen", "--count", 1).out
    assert json.loads(client("bob/phone", "group list", "--json").out)["members"] == [ALICE, BOB]


def test_group_cannot_be_taken_for_an_address(client: Call) -> None:
    """A name with an @ in it is refused."""
    assert client("alice/laptop", "group create", "carol@acme.example", BOB).code == ExitCode.USAGE
