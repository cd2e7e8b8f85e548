"""`blindrelay desk`: the register on the data directory, cases over HTTPS with a person's own token."""

import asyncio
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.policies.exchange import CaseAnswer
from blindrelay.policies.request import LawfulRequest
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from support.authorities import Caller, authority
from support.commands import Ran

CLOCK = SystemClock()
Run = Callable[..., Ran]


@pytest.fixture
def court(tmp_path: Path) -> AuthorityIdentity:
    """A court, with its file in `court.json`."""
    court = authority(tmp_path / "authorities", CLOCK, f"court-{datetime.now(UTC).timestamp():.6f}")
    (tmp_path / "court.json").write_text(court.card.model_dump_json())
    return court


@pytest.fixture
def registered(relay: Path, court: AuthorityIdentity, tmp_path: Path, blindrelay: Run) -> AuthorityIdentity:
    """The court, in the register of the running relay."""
    ran = blindrelay(
        *("desk", "register", tmp_path / "court.json", "--jurisdiction", "us", "--kind", "judge"),
        *("--call-back", "+1 202 555 0100", "--yes", "--data-dir", relay),
    )
    assert ran.code == ExitCode.OK, ran.err
    return court


@pytest.fixture
def person(relay: Path, tmp_path: Path, blindrelay: Run) -> Callable[[str], list[object]]:
    """The options with which a person speaks, who is taken on when needed."""

    def options(name: str) -> list[object]:
        file = tmp_path / f"{name}.token"
        if not file.exists():
            unique = f"{name}-{tmp_path.name.replace('_', '-').lower()}"[:60]
            ran = blindrelay("desk", "operator", "add", unique, "--token-file", file, "--data-dir", relay)
            assert ran.code == ExitCode.OK, ran.err
        return ["--token-file", file, "--data-dir", relay]

    return options


def asked(relay: Path, court: AuthorityIdentity, target: str = "bob@globex.example") -> CaseAnswer:
    """The court's request for somebody's traffic, handed in."""
    endpoint = Endpoint.read(relay / FILE_NAME)
    assert endpoint.desk_port is not None
    address = DeskAddress(endpoint.host, endpoint.desk_port, (relay / endpoint.ca_certificate).read_bytes())

    async def ask() -> CaseAnswer:
        async with DeskClient(court, address, CLOCK) as client:
            document = Caller(court, client.relay.id, CLOCK).request()
            document["demands"][0]["targets"][0]["value"] = target
            return await client.request(LawfulRequest.model_validate(document))

    return asyncio.run(ask())


def test_jurisdiction_and_kind_are_the_operators_word(
    relay: Path, court: AuthorityIdentity, tmp_path: Path, blindrelay: Run
) -> None:
    """What the file says of itself does not count where the operator says otherwise."""
    file = tmp_path / "court.json"
    for jurisdiction, kind in (("pk", "judge"), ("us", "minister")):
        ran = blindrelay(
            *("desk", "register", file, "--jurisdiction", jurisdiction, "--kind", kind, "--yes", "--data-dir", relay)
        )
        assert ran.code != ExitCode.OK
        assert "find out which it is" in ran.err
    listed = blindrelay("desk", "authorities", "--json", "--data-dir", relay).out
    assert court.card.id not in listed


def test_a_fingerprint_is_compared_first(
    relay: Path, court: AuthorityIdentity, tmp_path: Path, blindrelay: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without somebody who says that it has been compared, nothing is entered."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = blindrelay(
        *("desk", "register", tmp_path / "court.json", "--jurisdiction", "us", "--kind", "judge", "--data-dir", relay)
    )
    assert ran.code == ExitCode.INTERRUPTED
    assert court.card.id in ran.out
    assert court.card.id not in blindrelay("desk", "authorities", "--json", "--data-dir", relay).out


def test_a_file_that_is_none_is_said_to_be_none(relay: Path, tmp_path: Path, blindrelay: Run) -> None:
    """Which field is wrong."""
    (tmp_path / "x.json").write_text("{}")
    ran = blindrelay(
        *("desk", "register", tmp_path / "x.json", "--jurisdiction", "us", "--kind", "judge", "--data-dir", relay)
    )
    assert ran.code == ExitCode.MALFORMED
    assert "no authority's file: id" in ran.err


def test_a_folder_that_is_no_relays(tmp_path: Path, blindrelay: Run) -> None:
    """No case file is made in just any folder."""
    ran = blindrelay("desk", "authorities", "--data-dir", tmp_path)
    assert ran.code == ExitCode.USAGE
    assert not (tmp_path / "desk.sqlite").exists()


def test_a_token_is_for_its_person_alone(relay: Path, tmp_path: Path, blindrelay: Run) -> None:
    """Mode 0600, and never over another file; a name is given once."""
    file = tmp_path / "cyd.token"
    name = f"cyd-{tmp_path.name.replace('_', '-').lower()}"[:60]
    assert blindrelay("desk", "operator", "add", name, "--token-file", file, "--data-dir", relay).code == ExitCode.OK
    assert file.stat().st_mode & 0o777 == 0o600
    again = blindrelay("desk", "operator", "add", name, "--token-file", file, "--data-dir", relay)
    assert again.code == ExitCode.USAGE
    other = tmp_path / "other.token"
    ran = blindrelay("desk", "operator", "add", name, "--token-file", other, "--data-dir", relay)
    assert "already" in ran.err
    assert not other.exists()
    assert name in blindrelay("desk", "operator", "list", "--data-dir", relay).out.split()


def test_what_a_person_sees(
    relay: Path, registered: AuthorityIdentity, person: Callable[[str], list[object]], blindrelay: Run
) -> None:
    """The list, the case and the letter."""
    answer = asked(relay, registered)
    case = str(answer.case_id)

    assert case in blindrelay("desk", "list", "--all", "--json", *person("ada")).out
    shown = blindrelay("desk", "show", case, *person("ada"))
    assert shown.code == ExitCode.OK
    assert "under      us/d-order" in shown.out
    assert "reference  26-cv-1" in shown.out
    detail = json.loads(blindrelay("desk", "show", case, "--json", *person("ada")).out)
    assert detail["decision"]["demands"][0]["outcome"] == detail["view"]["demands"][0]["outcome"]
    assert "no legal advice" in blindrelay("desk", "letter", case, *person("ada")).out


def test_two_persons_release(
    relay: Path, office: Path, registered: AuthorityIdentity, person: Callable[[str], list[object]], blindrelay: Run
) -> None:
    """Each with a token of their own; the same person a second time is refused, and a third has nothing to do."""
    del office
    assert blindrelay("desk", "seat", "acme.example", "us", *person("ada")).code == ExitCode.OK
    case = str(asked(relay, registered, "alice@acme.example").case_id)
    listed = blindrelay("desk", "list", *person("ada")).out
    assert "waits for  d1: approval 1 of 2" in listed

    first = blindrelay("desk", "approve", case, "d1", *person("ada"))
    assert "approval 2 of 2" in first.out
    again = blindrelay("desk", "approve", case, "d1", *person("ada"))
    assert again.code == ExitCode.REFUSED
    assert "another person releases it" in again.err
    second = blindrelay("desk", "approve", case, "d1", *person("bea"))
    assert f"{case} is fulfilled" in second.out
    assert blindrelay("desk", "approve", case, "d1", *person("cyd")).code == ExitCode.REFUSED


def test_what_happens_is_written_down(
    relay: Path, office: Path, registered: AuthorityIdentity, person: Callable[[str], list[object]], blindrelay: Run
) -> None:
    """Events and call-backs are in the history, with who entered them; a rejection is final."""
    del office
    blindrelay("desk", "seat", "acme.example", "us", *person("ada"))
    case = str(asked(relay, registered, "bob@acme.example").case_id)

    assert blindrelay("desk", "event", case, "confirmation", "--note", "by letter", *person("ada")).code == ExitCode.OK
    assert blindrelay("desk", "call-back", case, "--confirmed", *person("ada")).code == ExitCode.OK
    rejected = blindrelay("desk", "reject", case, "d1", "--reason", "wrong person", *person("bea"))
    assert "d1 refused" in rejected.out
    history = blindrelay("desk", "show", case, *person("ada")).out
    assert "by letter" in history
    assert "call-back-confirmed" in history
    assert "wrong person" in history
    assert blindrelay("desk", "orders", *person("ada")).out == "no list is due in any jurisdiction\n"


def test_an_unknown_token_gets_nothing(relay: Path, tmp_path: Path, blindrelay: Run) -> None:
    """Not even the list."""
    file = tmp_path / "forged.token"
    file.write_text("x" * 43)
    file.chmod(0o600)
    ran = blindrelay("desk", "list", "--token-file", file, "--data-dir", relay)
    assert ran.code == ExitCode.REFUSED


def test_who_has_left_can_do_nothing(
    relay: Path, person: Callable[[str], list[object]], tmp_path: Path, blindrelay: Run
) -> None:
    """The token of somebody who was struck out is worth nothing, at once."""
    options = person("dan")
    assert blindrelay("desk", "list", *options).code == ExitCode.OK
    name = f"dan-{tmp_path.name.replace('_', '-').lower()}"[:60]
    assert blindrelay("desk", "operator", "strike", name, "--data-dir", relay).code == ExitCode.OK

    assert blindrelay("desk", "list", *options).code == ExitCode.REFUSED


def test_the_register_forgets_nobody_by_itself(
    relay: Path, registered: AuthorityIdentity, blindrelay: Run, home: Path
) -> None:
    """An authority is listed until it is struck out."""
    name = registered.card.id
    assert name in blindrelay("desk", "authorities", "--data-dir", relay, "--json").out
    assert blindrelay("desk", "strike", name, "--data-dir", relay).code == ExitCode.OK
    assert name not in blindrelay("desk", "authorities", "--data-dir", relay, "--json").out
    assert "no authority" in blindrelay("desk", "strike", name, "--data-dir", relay).err
