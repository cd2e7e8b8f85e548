"""Running the command line, inside this process and as one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.main import run
from support.commands import Ran


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
