"""`blindrelay client log`: what a device has seen of the relay's log, and an alarm from its first word to its last."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.clients.device import STORE_FILE
from blindrelay.clients.heads import Heads
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.log_records import Habits
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.keys import SigningKey
from support.commands import Ran

BOB = "bob@acme.example"


@pytest.fixture
def acquainted(client: Callable[..., Ran]) -> Callable[..., Ran]:
    """Alice has written to bob, and so has seen the log."""
    assert client("alice/laptop", "send", BOB, "hello").code == ExitCode.OK
    return client


@pytest.fixture
def alarmed(acquainted: Callable[..., Ran], office: Path, relay: Path) -> Callable[..., Ran]:
    """And has heard that somebody was shown another history: the relay's own key has signed it."""
    key = SigningKey.parse((relay / "log-keys" / "directory.key").read_text().split()[0])
    folder = office / "clients" / "acme.example" / "alice" / "laptop"
    with KeyStore.open(folder / STORE_FILE, (folder / "passphrase").read_text().strip()) as store:
        policy = (relay / "logs" / "directory.policy").read_text()
        heads = Heads(store, SystemClock(), Habits(policy=policy))
        seen = heads.checkpoint
        assert seen is not None
        heads.hear(Checkpoint(seen.origin, seen.size, bytes(32)).sign(key).encode(), "globex.example/eve/phone")
    return acquainted


def test_it_says_what_it_goes_by(acquainted: Callable[..., Ran]) -> None:
    """Which log, how large, by which key and witnesses; exit code 0."""
    ran = acquainted("alice/laptop", "log", "--json")
    seen = json.loads(ran.out)
    assert ran.code == ExitCode.OK, ran.err
    assert seen["origin"].endswith("/directory")
    assert seen["size"] >= 3
    assert seen["alarm"] is None
    assert "entries, root" in acquainted("alice/laptop", "log").out


def test_an_alarm_stops_everything_until_it_is_dealt_with(alarmed: Callable[..., Ran], tmp_path: Path) -> None:
    """It names the attack, nothing is sent, the evidence can be taken away; dismissed, it is over."""
    refused = alarmed("alice/laptop", "send", BOB, "not this")
    assert refused.code == ExitCode.LOG_REJECTED
    assert "split-view" in refused.err

    shown = alarmed("alice/laptop", "log", "--export", tmp_path / "evidence")
    assert shown.code == ExitCode.LOG_REJECTED
    assert "ALARM" in shown.out
    assert "globex.example/eve/phone" in shown.out
    files = {path.name: path for path in (tmp_path / "evidence").iterdir()}
    assert files.keys() == {"ours", "theirs", "alarm.json"}
    assert files["ours"].read_bytes() != files["theirs"].read_bytes()

    assert alarmed("alice/laptop", "log", "--dismiss").code == ExitCode.OK
    assert alarmed("alice/laptop", "send", BOB, "but this").code == ExitCode.OK


def test_without_an_alarm_there_is_nothing_to_dismiss(acquainted: Callable[..., Ran], tmp_path: Path) -> None:
    """Nor to export; nothing is written."""
    for arguments in (("--dismiss",), ("--export", tmp_path / "evidence")):
        ran = acquainted("alice/laptop", "log", *arguments)
        assert ran.code == ExitCode.USAGE
        assert "one history" in ran.err
    assert not (tmp_path / "evidence").exists()
