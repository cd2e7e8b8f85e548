"""The witness that `blindrelay up` starts beside its relay: there as long as it is, back when it is lost."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.protocol.transparency.checkpoint import cosigned_at
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from support.commands import Ran


@dataclass
class Up:
    """A relay that runs, and what it has said."""

    process: "subprocess.Popen[str]"
    said: dict[str, Any]

    @property
    def witness(self) -> psutil.Process:
        """The witness's process."""
        return psutil.Process(self.said["witness"]["process_id"])

    def hears(self, words: str) -> None:
        """Read what the relay says on stderr until it says this."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline()):
            assert line, f"the relay ended and did not say {words!r}"


@contextlib.contextmanager
def up(folder: Path, *arguments: str) -> Iterator[Up]:
    """A relay on free ports, with its witness; stopped in the end."""
    options = ["--port", "0", "--json", "--no-desk", "--data-dir", str(folder), *arguments]
    with subprocess.Popen(
        [sys.executable, "-m", "blindrelay", "up", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield Up(process, json.loads(process.stdout.readline()))
        finally:
            process.terminate()
            process.communicate(timeout=30)


def policy(folder: Path) -> Trust:
    """By what the directory's log is to be verified."""
    return Trust.parse((folder / "logs" / "directory.policy").read_text())


def founded(blindrelay: Callable[..., Ran], relay: Path, tenant: str) -> None:
    """One more entry in the log."""
    for command in (["create", tenant], ["register", tenant, "--relay", relay]):
        assert blindrelay("tenant", *command).code == ExitCode.OK


def published(blindrelay: Callable[..., Ran], relay: Path, index: int) -> None:
    """Wait until the log has that entry, verified with its witness's cosignature."""
    while not blindrelay("log", "show", "--json", "--relay", relay, "--from", index).out:
        pass


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A relay's data directory; what its clients have is elsewhere."""
    return tmp_path / "relay"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_logs_policy_names_a_witness_that_has_cosigned(
    data: Path, home: Path, blindrelay: Callable[..., Ran], number: signal.Signals
) -> None:
    """One of one, whose key and folder are its own; it ends with the relay, which takes back its last word first."""
    with up(data) as relay:
        trust = policy(data)
        (named,) = trust.witnesses
        assert str(named.key) == relay.said["witness"]["key"]
        assert named.url == relay.said["witness"]["url"]
        assert not trust.is_met_by(set())
        founded(blindrelay, data, "acme.example")
        published(blindrelay, data, 0)
        witness = relay.witness
        relay.process.send_signal(number)
        relay.process.communicate(timeout=30)
    assert relay.process.returncode == ExitCode.OK
    assert not witness.is_running()
    note = Note.parse((data / "logs" / "directory" / "checkpoint").read_bytes())
    assert cosigned_at(note, named.key) is not None
    assert (data / "witness" / "witness.key").stat().st_mode & 0o777 == 0o600


def test_it_is_in_the_home_beside_the_relay(home: Path) -> None:
    """Where the relay is at its usual place, so is the witness."""
    with up(home / "relay") as relay:
        assert Path(relay.said["witness"]["folder"]) == home / "witness"


def test_one_that_is_killed_is_started_again_where_it_was(
    data: Path, home: Path, blindrelay: Callable[..., Ran]
) -> None:
    """The relay says so, and what has happened meanwhile is published: the same key, the same address, one history."""
    with up(data) as relay:
        founded(blindrelay, data, "acme.example")
        published(blindrelay, data, 0)
        relay.witness.kill()
        relay.hears("the relay's own witness has ended, and is started again")
        founded(blindrelay, data, "globex.example")
        published(blindrelay, data, 1)


def test_nothing_is_published_while_it_is_away(data: Path, home: Path, blindrelay: Callable[..., Ran]) -> None:
    """The relay says that it waits for it; nobody is shown what the witness has not seen."""
    with up(data) as relay:
        founded(blindrelay, data, "acme.example")
        published(blindrelay, data, 0)
        relay.witness.suspend()
        founded(blindrelay, data, "globex.example")
        relay.hears("a log cannot be published without its witnesses")
        shown = blindrelay("log", "show", "--json", "--relay", data)
        assert len(shown.out.splitlines()) == 1
        relay.witness.resume()
        published(blindrelay, data, 1)


def test_it_does_not_outlive_a_relay_that_is_killed(data: Path) -> None:
    """Whatever becomes of the process that started it."""
    with up(data) as relay:
        witness = relay.witness
        relay.process.kill()
        witness.wait(30)


def test_it_comes_back_at_its_address_and_takes_another_when_that_is_taken(data: Path) -> None:
    """Its key stays in either case: whoever has pinned it has nothing to do."""
    with up(data) as relay:
        first = relay.said["witness"]
    with up(data) as relay:
        assert relay.said["witness"] | {"process_id": 0} == first | {"process_id": 0}
    port = int(first["url"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), up(data) as relay:
        assert relay.said["witness"]["url"] != first["url"]
        assert relay.said["witness"]["key"] == first["key"]
        assert policy(data).witnesses[0].url == relay.said["witness"]["url"]


def test_without_one_nobody_cosigns(data: Path) -> None:
    """It is said with --no-witness."""
    with up(data, "--no-witness") as relay:
        assert relay.said["witness"] is None
        assert policy(data).witnesses == ()
        assert not (data / "witness").exists()


@contextlib.contextmanager
def another(folder: Path) -> Iterator[str]:
    """A witness that nobody's relay has started; the line by which it is known."""
    command = [sys.executable, "-m", "blindrelay", "witness", "run", str(folder), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["policy_line"]
        finally:
            process.terminate()


def test_with_others_it_is_not_started(data: Path) -> None:
    """Those of the configuration count: they are somebody else's."""
    with another(data.parent / "other") as line:
        data.mkdir()
        (data / "blindrelay.toml").write_text(f'[logs]\nwitnesses = ["{line}"]\n')
        with up(data) as relay:
            assert relay.said["witness"] is None
            assert str(policy(data).witnesses[0]) == line
            assert not (data / "witness").exists()


def test_a_witness_that_cannot_start_keeps_the_relay_from_starting(
    process: Callable[..., "subprocess.CompletedProcess[str]"], data: Path
) -> None:
    """Its key is damaged, or somebody else has its folder: the sentence says what to do, and nothing is listened on."""
    with up(data):
        pass
    key = (data / "witness" / "witness.key").read_bytes()
    (data / "witness" / "witness.key").write_bytes(b"nothing\n")
    ended = process("up", "--data-dir", data, "--port", 0)
    assert ended.returncode == ExitCode.DATA_DIRECTORY_UNREADABLE
    assert "--no-witness does without" in ended.stderr
    assert "witness.key" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (data / "endpoint.json").exists()

    (data / "witness" / "witness.key").write_bytes(key)
    with another(data / "witness"):
        ended = process("up", "--data-dir", data, "--port", 0)
    assert ended.returncode == ExitCode.DATA_DIRECTORY_IN_USE
