"""`blindrelay authority`: the side that asks, against a relay that runs as a process."""

import json
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from support.altered import flipped
from support.commands import Ran
from support.court import COURT, ORDER, TRAFFIC, Run, lines_of_operators, released


def test_an_authority_is_made_for_its_owner_alone(home: Path, blindrelay: Run, card: Path) -> None:
    """Folder 0700, files 0600; the card holds no secret, and nobody is made twice."""
    made = blindrelay("authority", "init", "us-court", *COURT, "--card", card)
    folder = home / "authorities" / "us-court"

    assert made.code == ExitCode.OK
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert "secrets" not in card.read_text()
    assert "PRIVATE" not in card.read_text()
    again = blindrelay("authority", "init", "us-court", *COURT, "--card", card.with_name("other.json"))
    assert again.code == ExitCode.STORE_UNREADABLE
    assert "already" in again.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("../evil", *COURT), "is no authority's id"),
        (("us-court", *COURT[:-1], "emperor"), "emperor"),
        (("us-court", *COURT[:5], "USA", *COURT[6:]), "jurisdiction"),
    ],
)
def test_what_is_no_authority_is_a_sentence(
    home: Path, blindrelay: Run, card: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    """It says what was wrong, and nothing is made."""
    ran = blindrelay("authority", "init", *arguments, "--card", card)

    assert ran.code in {ExitCode.USAGE, ExitCode.MALFORMED}
    assert complaint in ran.err
    assert not card.exists()


def test_a_passphrase_seals_the_keys(
    home: Path, blindrelay: Run, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one the secrets cannot be used without it."""
    monkeypatch.setenv("BLINDRELAY_PASSPHRASE", "correct horse")
    assert blindrelay("authority", "init", "us-court", *COURT, "--card", card).code == 0
    monkeypatch.setenv("BLINDRELAY_PASSPHRASE", "battery staple")

    assert blindrelay("authority", "renew").code == ExitCode.WRONG_PASSPHRASE
    monkeypatch.setenv("BLINDRELAY_PASSPHRASE", "correct horse")
    assert blindrelay("authority", "renew").code == ExitCode.OK


def test_a_request_is_answered_with_a_letter(court: Run) -> None:
    """The answer reads like a letter, then says in a line for each class what came of it and which policy decided."""
    ran = court("request", *ORDER, *TRAFFIC)

    assert ran.code == ExitCode.OK, ran.err
    assert ran.out.startswith("To District Court, for J. Doe\n")
    assert "us-d-order-traffic" in ran.out
    assert "AwaitingApproval" in ran.out
    assert court("status").out.splitlines()[0] == "To District Court, for J. Doe"


def test_a_released_package_is_opened(court: Run, relay: Path, client: Callable[..., Ran], tmp_path: Path) -> None:
    """A message was sent; the court gets who, whom, when and how large, verified, as a table and as files, and no text."""
    assert client("alice/laptop", "send", "bob@acme.example", "meet me at noon").code == 0
    assert "AwaitingApproval" in court("request", *ORDER, *TRAFFIC).out
    released(court, relay)
    stands = court("status").out
    assert "Disclosed" in stands
    assert "AwaitingApproval" not in stands

    opened = court("open", "--out", tmp_path / "evidence")

    assert opened.code == ExitCode.OK, opened.err
    assert re.search(r"TRAFFIC: [1-9]\d* records", opened.out)
    assert "seal, signature and digests hold" in opened.out
    assert "noon" not in opened.out
    files = {path.name for path in (tmp_path / "evidence").iterdir()}
    assert files == {"manifest.json", "manifest.sig", "traffic.csv", "traffic.ndjson"}
    assert not [path for path in (tmp_path / "evidence").iterdir() if b"noon" in path.read_bytes()]
    manifest = json.loads(court("open", "--json").out)
    assert manifest["manifest"]["instrument"] == "us/d-order"
    assert court("open", "--package", manifest["package"]).code == ExitCode.OK


def test_a_package_that_was_altered_is_not_shown(court: Run, relay: Path) -> None:
    """One byte is enough."""
    released(court, relay)
    package = Path(json.loads(court("open", "--json").out)["package"])
    package.write_bytes(flipped(package.read_bytes()))

    ran = court("open", "--package", package)

    assert ran.code != ExitCode.OK
    assert ran.out == ""
    assert str(package) in ran.err
    wrong = court("open", "--package", relay / "relay.crt")
    assert f"not a disclosure package that this version understands: {relay / 'relay.crt'}" in wrong.err


def test_nothing_is_opened_before_it_is_released(court: Run) -> None:
    """It says where the demand stands."""
    assert court("request", *ORDER, *TRAFFIC).code == 0

    ran = court("open")

    assert ran.code == ExitCode.USAGE
    assert "d1: AwaitingApproval" in ran.err


def test_content_is_not_held(court: Run) -> None:
    """A warrant that reaches content is answered with what the relay does not have, not with a refusal of the warrant."""
    warrant = ["us/search-warrant" if word == "us/d-order" else word for word in ORDER]
    ran = court("request", *warrant, "--class", "CONTENT", *TRAFFIC[2:], "--json")

    (demand,) = json.loads(ran.out)["demands"]
    assert (demand["ground"], demand["status"]) == ("not-held", "DisclosureNotAvailable")


def test_a_request_comes_from_a_file(court: Run, tmp_path: Path) -> None:
    """YAML or JSON, options on top; what only the command knows has no place in it."""
    made = court("request", *ORDER, *TRAFFIC, "--dry-run")
    document = json.loads(made.out)
    order = tmp_path / "order.yaml"
    order.write_text(json.dumps({key: document[key] for key in ("authorisation", "demands")}))

    sent = court("request", "--file", order, "--reference", "26-cv-2", "--json")
    assert json.loads(sent.out)["demands"][0]["outcome"] == "narrowed"
    assert "26-cv-2" in json.loads(sent.out)["letter"]
    twice = court("request", "--file", order, *TRAFFIC)
    assert (twice.code, "the file has demands of its own" in twice.err) == (ExitCode.USAGE, True)
    order.write_text(made.out)
    ours = court("request", "--file", order)
    assert (ours.code, "the command fills it in" in ours.err) == (ExitCode.MALFORMED, True)


def test_everything_that_an_instrument_may_need_has_an_option(court: Run) -> None:
    """What stands in a European order, and the preservation that it has produced."""
    order = ["eu/epoc-traffic" if word == "us/d-order" else word for word in ORDER]
    options = ("--harm", "The director is the suspect.", "--notified", "--mutual-assistance", "4 Nt 11/2026")

    shown = json.loads(court("request", *order, *TRAFFIC, *options, "--continues", "9b1d/d1", "--dry-run").out)

    stated = shown["authorisation"]
    assert stated["harm_to_investigation"] == "The director is the suspect."
    assert stated["enforcing_authority_notified"] is True
    assert stated["mutual_assistance_reference"] == "4 Nt 11/2026"
    assert shown["demands"][0]["continues"] == "9b1d/d1"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (TRAFFIC, "authorisation.instrument (--instrument): Field required"),
        (ORDER, "demands (--class, --target, --from, --until): Field required"),
        ((*ORDER, "--class", "TRAFFIC", "--from", "-7d"), "name a --target"),
        ((*ORDER, *TRAFFIC[:6], "--until", "-8d"), "start must be before end"),
        ((*ORDER, *TRAFFIC[:6]), "window.end (--until)"),
        ((*ORDER, *TRAFFIC, "--target", "acme.example"), "demands of their own"),
        ((*ORDER, *TRAFFIC, "--gag-until", "+7d"), "--gag-basis"),
        ((*ORDER[:4], *ORDER[6:], *TRAFFIC), "--issuer"),
        ((*ORDER, *TRAFFIC[:-1], "yesterday"), "is no moment"),
    ],
)
def test_what_is_missing_is_named(court: Run, arguments: tuple[str, ...], complaint: str) -> None:
    """Nothing is assumed in the authority's favour: the command says what it takes, and asks nobody."""
    ran = court("request", *arguments)

    assert ran.code == ExitCode.USAGE
    assert complaint in ran.err
    assert "Traceback" not in ran.err


def test_a_case_is_taken_back(court: Run) -> None:
    """The last one, unless one is named; all cases are listed."""
    first = json.loads(court("request", *ORDER, *TRAFFIC, "--json").out)["case_id"]
    second = json.loads(court("request", *ORDER, *TRAFFIC, "--json").out)["case_id"]

    withdrawn = court("withdraw", "--json")

    assert json.loads(withdrawn.out)["case_id"] == second
    assert json.loads(withdrawn.out)["demands"][0]["outcome"] == "withdrawn"
    listed = [json.loads(line) for line in court("status", "--all", "--json").out.splitlines()]
    assert [case["case_id"] for case in listed] == [first, second]


def test_a_real_time_order_is_watched(court: Run, relay: Path, client: Callable[..., Ran]) -> None:
    """What is sent while the order runs is printed as it happens."""
    order = ["us/pen-trap" if word == "us/d-order" else word for word in ORDER]
    asked = court("request", *order, *TRAFFIC[:4], "--mode", "stream", "--from", "now", "--until", "+1h", "--json")
    case = json.loads(asked.out)
    for line in lines_of_operators(relay):
        line.post(f"/cases/{case['case_id']}/approvals", {"demand_id": "d1"})
    assert "d1 runs" in court("status").out
    # What is accepted in the second in which the order came is not in it: it may have been there before the order was.
    first_second = datetime.fromisoformat(case["demands"][0]["stream"]["start"]) + timedelta(seconds=1)
    is_in_it = False
    while not is_in_it:
        is_in_it = datetime.now(UTC) >= first_second
        assert client("alice/laptop", "send", "bob@acme.example", "meet me at noon").code == 0

    ran = court("watch", "--count", "1", "--json")

    assert ran.code == ExitCode.OK, ran.err
    assert json.loads(ran.out)["record"] == "traffic"
    assert "noon" not in ran.out


def test_a_stranger_is_told_nothing(relay: Path, home: Path, blindrelay: Run, card: Path) -> None:
    """An authority that nobody has entered is not authenticated, and not told why; the command knows what to ask next."""
    assert blindrelay("authority", "init", "us-court", *COURT, "--card", card).code == 0

    ran = blindrelay("authority", "request", "--relay", relay, *ORDER, *TRAFFIC)

    assert ran.code == ExitCode.REFUSED
    assert "not authenticated" in ran.err
    assert "Has the relay's operator entered us-court (`blindrelay desk register`)" in ran.err


def test_another_relay_is_noticed(court: Run, home: Path) -> None:
    """The relay that was met first is the one: another id or certificate ends the conversation."""
    assert court("request", *ORDER, *TRAFFIC).code == 0
    met = home / "authorities" / "us-court" / "relay.json"
    met.write_text(met.read_text().replace('"id": "', '"id": "0'))

    assert court("status").code == ExitCode.IDENTITY_REJECTED


def test_a_relay_that_is_not_there_is_a_sentence(court: Run, relay: Path, tmp_path: Path) -> None:
    """Neither file nor port."""
    gone = court("status", "00000000-0000-4000-8000-000000000000", "--relay", tmp_path / "nowhere")
    assert gone.code == ExitCode.NOT_ENROLLED
    (tmp_path / "relay.crt").write_bytes((relay / "relay.crt").read_bytes())
    Endpoint(host="127.0.0.1", port=1, ca_certificate="relay.crt", desk_port=1).write(tmp_path / FILE_NAME)
    silent = court("status", "00000000-0000-4000-8000-000000000000", "--relay", tmp_path)
    assert silent.code == ExitCode.RELAY_UNREACHABLE
    assert "no desk answers at https://127.0.0.1:1" in silent.err
    assert "is the relay running (`blindrelay up`)" in silent.err


def test_nothing_is_known_without_an_authority(home: Path, blindrelay: Run) -> None:
    """The command says how one is made."""
    ran = blindrelay("authority", "status")

    assert ran.code == ExitCode.USAGE
    assert "which authority do you want to be?" in ran.err


def test_the_relay_is_remembered(court: Run, relay: Path, blindrelay: Run) -> None:
    """Named once, the relay is the one of the next commands."""
    assert court("request", *ORDER, *TRAFFIC).code == 0

    assert blindrelay("authority", "status").code == ExitCode.OK
