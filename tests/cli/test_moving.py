"""A relay moves to PostgreSQL as its operator moves it: each command is a process of its own; people write before and after."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.relay.datadir import MOVED

from .test_own_witness import up
from .test_up import assert_one_sentence

pytestmark = pytest.mark.needs("initdb")

Process = Callable[..., "subprocess.CompletedProcess[str]"]
Say = Callable[..., str]


@pytest.fixture
def done(process: Process) -> Say:
    """Carry out a command that has to succeed; returns what it printed."""

    def carry_out(*arguments: object) -> str:
        ended = process(*arguments)
        assert ended.returncode == ExitCode.OK, ended.stderr
        return ended.stdout

    return carry_out


def test_people_go_on_where_they_were(home: Path, new_database: str, process: Process, done: Say) -> None:
    """With the same keys and the same certificate; what waited comes, and what was read does not come again."""

    def send(text: str) -> None:
        done("client", "send", "bob@acme.example", text, "--as", "acme.example/alice/laptop")

    def heard() -> str:
        line = done("client", "listen", "--count", 1, "--json", "--as", "acme.example/bob/phone")
        return str(json.loads(line)["text"])

    data = home / "relay"
    with up(data):
        done("tenant", "create", "acme.example")
        done("tenant", "register", "acme.example")
        done("tenant", "enrol", "acme.example", "alice", "laptop")
        done("tenant", "enrol", "acme.example", "bob", "phone")
        send("read before it moved")
        assert heard() == "read before it moved"
        send("waited while it moved")

    copied = json.loads(done("store", "copy", "--store", new_database, "--json"))
    assert copied["rows"] > 0

    refused = process("up", "--data-dir", data, "--port", 0)
    assert refused.returncode == ExitCode.BAD_CONFIGURATION
    assert_one_sentence(refused)
    assert f"the state of {data} has been moved to {copied['to']}: start the relay with --store" in refused.stderr
    assert f"delete {data / MOVED}" in refused.stderr

    with up(data, "--store", new_database):
        assert heard() == "waited while it moved"
        send("sent after it moved")
        assert heard() == "sent after it moved"
