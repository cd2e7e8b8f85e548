"""`blindrelay client send` and `mail`."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.writing import parse_duration
from support.commands import Ran

Call = Callable[..., Ran]
BOB = "bob@acme.example"


def test_what_is_sent_is_what_is_heard(client: Call) -> None:
    """A message waits at the relay until the other side comes, and says who wrote it."""
    sent = client("alice/laptop", "send", BOB, "Shall we meet? €", "--json")
    assert json.loads(sent.out)["devices"] == {"acme.example/bob/phone": "accepted"}

    heard = json.loads(client("bob/phone", "listen", "--count", 1, "--json").out)
    assert (heard["from"], heard["text"], heard["kind"]) == ("alice@acme.example", "Shall we meet? €", "chat")
    assert heard["id"] == json.loads(sent.out)["id"]


def test_marks_of_a_message_travel_with_it(client: Call) -> None:
    """Sealed, urgent, expiring: all of it is inside."""
    client("bob/phone", "send", "alice@acme.example", "so that alice has bob's token")
    client("alice/laptop", "listen", "--count", 1)
    client("alice/laptop", "send", BOB, "burn", "--expires-in", "1h", "--urgent", "--sealed")
    heard = json.loads(client("bob/phone", "listen", "--count", 1, "--json").out)
    assert (heard["sealed"], heard["urgent"], heard["text"]) == (True, True, "burn")
    assert "disappears_at" in heard


def test_text_comes_from_stdin(client: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """With - as text, what another program prints is sent."""
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    client("alice/laptop", "send", BOB, "-")
    assert json.loads(client("bob/phone", "listen", "--count", 1, "--json").out)["text"] == "from a pipe\n"


def test_mail_brings_its_attachments(client: Call, tmp_path: Path) -> None:
    """Subject, text and files arrive as they were, several recipients and all."""
    file = tmp_path / "plan.bin"
    file.write_bytes(bytes(range(256)) * 2_000)
    sent = client(
        "alice/laptop", "mail", BOB, "alice@acme.example", "-s", "Plan", "-t", "see there", "-a", file, "--json"
    )
    assert sent.code == 0
    folder = tmp_path / "received"
    heard = json.loads(client("bob/phone", "listen", "--count", 1, "--json", "--save", folder).out)
    assert (heard["kind"], heard["subject"], heard["text"].strip()) == ("mail", "Plan", "see there")
    assert heard["attachments"] == [{"name": "plan.bin", "type": "application/octet-stream", "bytes": 512_000}]
    assert (folder / "plan.bin").read_bytes() == file.read_bytes()
    client("alice/laptop", "listen", "--timeout", 1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([BOB, " "], ExitCode.USAGE),
        ([BOB, "x", "--expires-in", "soon"], ExitCode.USAGE),
        ([BOB, "x", "--timeout", "0"], ExitCode.USAGE),
        (["@", "x"], ExitCode.MALFORMED),
        (["Nobody's group", "x"], ExitCode.USAGE),
        (["nobody@acme.example", "x"], ExitCode.REFUSED),
        ([BOB, "x" * 65_537], ExitCode.USAGE),
        ([BOB, "\udcff\udcfe"], ExitCode.USAGE),
    ],
)
def test_what_cannot_be_sent_is_named(client: Call, arguments: list[str], code: ExitCode) -> None:
    """Empty, malformed, unknown, too long: a sentence and an exit code, and nothing is sent."""
    ran = client("alice/laptop", "send", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err
    assert "Traceback" not in ran.err


def test_attachment_that_is_not_there_is_a_usage_error(client: Call, tmp_path: Path) -> None:
    """It is named before anything is sent."""
    ran = client("alice/laptop", "mail", BOB, "-s", "x", "-t", "x", "-a", tmp_path / "none")
    assert ran.code == ExitCode.USAGE
    assert "none" in ran.err


def test_reading_that_does_not_happen_is_waited_for_so_long(client: Call) -> None:
    """`--wait read` ends with exit code 8 when nobody reads; the message is accepted all the same."""
    assert (
        client("alice/laptop", "send", BOB, "unread", "--wait", "read", "--timeout", "0.3").code == ExitCode.TIMED_OUT
    )
    assert "unread" in client("bob/phone", "listen", "--count", 1).out


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800), ("0.5m", 30)]
    + [(text, None) for text in ("", "0", "0s", "-1h", "1w", "h", "1e3", "\u0661", "nan", "9999999999")],
)
def test_durations_are_numbers_with_a_unit(text: str, seconds: float | None) -> None:
    """Seconds, minutes, hours, days, above nothing; anything else is none."""
    assert parse_duration(text) == seconds
