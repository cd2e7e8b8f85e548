"""`blindrelay client listen`, `history`, `search` and `my-data`, and saving attachments."""

import json
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.reading import save_attachment
from blindrelay.clients.mail import Attachment
from support.commands import Ran

Call = Callable[..., Ran]
BOB = "bob@acme.example"


def test_each_message_is_handed_out_once(client: Call) -> None:
    """What was printed is not printed again, but it is in the history of both sides, with its ticks."""
    client("alice/laptop", "send", BOB, "once")
    assert "once" in client("bob/phone", "listen", "--count", 1).out
    assert client("bob/phone", "listen", "--timeout", "0.3").code == ExitCode.TIMED_OUT
    client("alice/laptop", "listen", "--timeout", "0.5")  # the receipt comes

    records = [json.loads(line) for line in client("alice/laptop", "history", BOB, "--json").out.splitlines()]
    assert records[-1]["text"] == "once"
    assert records[-1]["stage"] == "read"
    assert "once" in client("bob/phone", "history", "alice@acme.example", "--limit", 1).out


def test_control_characters_of_a_stranger_are_not_obeyed(client: Call) -> None:
    """A message cannot move the cursor, set the title, or pass for markup of ours."""
    client("alice/laptop", "send", BOB, "\x1b]0;owned\x07[bold red]x[/]")
    out = client("bob/phone", "listen", "--count", 1).out
    assert "\x1b" not in out
    assert "[bold red]x[/]" in out


def test_history_of_nobody_is_empty(client: Call) -> None:
    """There is nothing to print, and nothing wrong with it."""
    assert client("alice/laptop", "history", "nobody@acme.example").out == ""


def test_search_finds_what_was_written(client: Call) -> None:
    """In whatever case, on both sides; what nobody has written is not found, and nothing is wrong with that."""
    client("alice/laptop", "send", BOB, "Heron flies on Friday")
    client("bob/phone", "listen", "--count", 1)

    assert "Heron flies" in client("alice/laptop", "search", "hERON").out
    (found,) = client("bob/phone", "search", "flies on", "--json").out.splitlines()
    assert json.loads(found)["text"] == "Heron flies on Friday"
    assert client("bob/phone", "search", "kingfisher").out == ""


def test_my_data_has_records_and_no_words(client: Call) -> None:
    """The relay's records of alice name her correspondents, and nothing that was said."""
    client("alice/laptop", "send", BOB, "not for the inventory")
    client("bob/phone", "listen", "--count", 1)
    printed = json.loads(client("alice/laptop", "my-data", "--json").out)
    assert printed["user"] == "alice@acme.example"
    assert printed["records"]["TrafficRecord"]
    assert "not for the inventory" not in json.dumps(printed)
    assert "TrafficRecord" in client("alice/laptop", "my-data").out


def test_device_that_is_not_there_is_a_sentence(client: Call, blindrelay: Call, office: Path) -> None:
    """It says how to enrol it; where several are, which they are."""
    ran = client("alice/watch", "listen")
    assert ran.code == ExitCode.NOT_ENROLLED
    assert "tenant enrol acme.example alice watch" in ran.err
    ran = blindrelay("client", "listen", "--home", office)
    assert ran.code == ExitCode.USAGE
    assert "acme.example/alice/laptop" in ran.err
    assert blindrelay("client", "listen").code == ExitCode.USAGE


def test_wrong_passphrase_opens_nothing(client: Call, tmp_path: Path) -> None:
    """Exit code 7, and the key store is as it was."""
    file = tmp_path / "pass"
    file.write_text("guess\n")
    assert client("alice/laptop", "history", BOB, "--passphrase-file", file).code == ExitCode.WRONG_PASSPHRASE
    assert client("alice/laptop", "history", BOB).code == ExitCode.OK


def test_damaged_key_store_is_a_sentence(client: Call, blindrelay: Call, home: Path) -> None:
    """A file that is no key store is not opened, and not overwritten."""
    blindrelay("tenant", "create", "offline.example")
    blindrelay("tenant", "enrol", "offline.example", "otto", "phone", "--offline")
    store = home / "clients/offline.example/otto/phone/keystore.db"
    store.write_bytes(b"this is not a key store" * 100)
    ran = blindrelay("client", "history", BOB)
    assert ran.code == ExitCode.STORE_UNREADABLE
    assert "Traceback" not in ran.err
    assert store.read_bytes() == b"this is not a key store" * 100


def test_relay_that_is_gone_is_a_sentence(client: Call, tmp_path: Path, relay: Path) -> None:
    """Nobody listens there, or it is another relay than the certificate says."""
    ran = client("alice/laptop", "listen", "--relay", "mqtts://127.0.0.1:1", "--ca", relay / "relay.crt")
    assert ran.code == ExitCode.RELAY_UNREACHABLE
    assert client("alice/laptop", "listen", "--relay", tmp_path).code == ExitCode.NOT_ENROLLED
    assert client("alice/laptop", "listen", "--relay", "http://127.0.0.1").code == ExitCode.USAGE
    assert client("alice/laptop", "listen", "--ca", relay / "relay.crt").code == ExitCode.USAGE


@given(
    names=st.lists(
        st.text(max_size=200) | st.sampled_from(["../../x", "/etc/passwd", "..", "a\\b", "x.tar.gz"]), max_size=6
    )
)
def test_attachments_stay_in_their_folder_and_overwrite_nothing(names: list[str]) -> None:
    """Whatever a stranger calls a file, it is a new one, in that folder, for the owner alone."""
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer) / "received"
        saved = [save_attachment(Attachment(name, name.encode("utf-8", "replace")), folder) for name in names]
        assert len(set(saved)) == len(names)
        for name, path in zip(names, saved, strict=True):
            assert path.parent == folder
            assert path.read_bytes() == name.encode("utf-8", "replace")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [path.name for path in Path(outer).iterdir()] == (["received"] if names else [])


def test_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    """A link that lies in wait does not redirect what is saved."""
    (tmp_path / "target").write_text("mine")
    folder = tmp_path / "received"
    folder.mkdir()
    (folder / "x.txt").symlink_to(tmp_path / "target")
    assert save_attachment(Attachment("x.txt", b"theirs"), folder).name == "x-1.txt"
    assert (tmp_path / "target").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--timeout", "-1"], ["--save"]])
def test_listening_without_sense_is_a_usage_error(client: Call, arguments: list[str]) -> None:
    """Numbers are checked before anything is opened."""
    assert client("alice/laptop", "listen", *arguments).code == ExitCode.USAGE
