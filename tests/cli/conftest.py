"""Running the command line, inside this process and as one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blindrelay.cli.main import run
from support.commands import Ran
from support.court import COURT, Run, enter, lines_of_operators


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of Blindrelay's own; nothing of the user's is looked at."""
    home = tmp_path / "home"
    monkeypatch.setenv("BLINDRELAY_HOME", str(home))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BLINDRELAY_PASSPHRASE", raising=False)
    return home


@pytest.fixture
def blindrelay(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line as the console script does, errors and all."""

    def call(*arguments: object) -> Ran:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(int(code), captured.out, captured.err)

    return call


@pytest.fixture
def process(home: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a command line as a process of its own, until it ends."""

    def call(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "blindrelay", *(str(argument) for argument in arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"COLUMNS": "100"},
            **options,  # type: ignore[call-overload]
        )

    return call


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A relay of this module's own, as a process; its data directory."""
    folder = tmp_path_factory.mktemp("relay")
    command = [sys.executable, "-m", "blindrelay", "up", "--port", "0", "--json", "--data-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["port"] > 0
        yield folder
        running.terminate()


@pytest.fixture(scope="module")
def office(relay: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which acme.example has enrolled alice's laptop and bob's phone with the module's relay."""
    home = tmp_path_factory.mktemp("office")
    for arguments in (
        ["create", "acme.example"],
        ["register", "acme.example", "--relay", str(relay)],
        ["enrol", "acme.example", "alice", "laptop"],
        ["enrol", "acme.example", "bob", "phone"],
    ):
        assert run(["tenant", *arguments, "--home", str(home)]) == 0
    return home


@pytest.fixture
def client(office: Path, blindrelay: Callable[..., Ran]) -> Callable[..., Ran]:
    """Run a client's command as somebody of the office: `client("alice/laptop", "send", ...)`."""

    def call(device: str, command: str, *arguments: object) -> Ran:
        return blindrelay("client", *command.split(), "--home", office, "--as", f"acme.example/{device}", *arguments)

    return call


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Where the card is written."""
    return tmp_path / "card.json"


@pytest.fixture
def court(relay: Path, office: Path, home: Path, blindrelay: Run, card: Path) -> Run:
    """A court of this test's own that is registered with the module's relay: `court("status")`."""
    assert blindrelay("authority", "init", "us-court", *COURT, "--card", card).code == 0
    enter(relay, card)
    lines_of_operators(relay)[0].post("/tenants/acme.example/jurisdiction", {"jurisdiction": "us"})

    def call(command: str, *arguments: object) -> Ran:
        return blindrelay("authority", command, "--relay", relay, *arguments)

    return call
