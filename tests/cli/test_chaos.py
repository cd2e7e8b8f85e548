"""`blindrelay chaos`: what can be done, doing it, and what is said of it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.proofs.chaos.matrix.faults import FAULTS
from support.commands import Ran

Run = Callable[..., Ran]
SHORT = ("--engine", "sqlite", "--seconds", "2", "--devices", "4")


def test_faults_are_listed(blindrelay: Run) -> None:
    """For people with what each does, for programs one a line."""
    shown, told = blindrelay("chaos", "list"), blindrelay("chaos", "list", "--json")
    assert (shown.code, told.code) == (ExitCode.OK, ExitCode.OK)
    assert [json.loads(line)["fault"] for line in told.out.splitlines()] == list(FAULTS)
    assert [name for name in FAULTS if name not in shown.out] == []


def test_a_relay_that_holds(blindrelay: Run, tmp_path: Path) -> None:
    """A row for the fault; the timeline is kept, and begins with the seed."""
    ran = blindrelay("chaos", "run", "clock-jumps", *SHORT, "--seed", "3", "--keep", tmp_path / "kept")
    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert "1 of 1 runs held" in ran.out
    timeline = [json.loads(line) for line in (tmp_path / "kept/clock-jumps-3/timeline.jsonl").read_text().splitlines()]
    assert (timeline[0]["event"], timeline[0]["seed"]) == ("plan", 3)
    assert {"strike", "healed", "served", "quiet", "memory"} <= {line["event"] for line in timeline}
    assert sorted(path.name for path in (tmp_path / "kept/clock-jumps-3").iterdir()) == [
        "timeline.jsonl",
        "verdict.json",
    ]


def test_a_relay_that_does_not(blindrelay: Run) -> None:
    """Its exit code says so, the finding is named, and how to have it again. What is on its way at the cut is lost."""
    busy = ("--engine", "sqlite", "--seconds", "2", "--devices", "8", "--rate", "20")
    ran = blindrelay("chaos", "run", "clients-cut-off", *busy, "--saboteur", "delete-on-send", "--patience", "3")
    assert ran.code == ExitCode.FAILED
    assert "was acknowledged and never handed over" in ran.out
    assert "Again: blindrelay chaos run clients-cut-off --seed 1" in ran.out


def test_what_cannot_be_done_to_an_engine_is_a_mistake(blindrelay: Run) -> None:
    """There is no NATS in an embedded relay."""
    ran = blindrelay("chaos", "run", "nats-killed", "--engine", "sqlite")
    assert ran.code == ExitCode.USAGE
    assert "--engine postgresql" in ran.err


def test_a_watch_needs_to_know_the_relay_and_the_code(blindrelay: Run, tmp_path: Path) -> None:
    """It says which is missing."""
    assert "--ca FILE" in blindrelay("chaos", "watch", "mqtts://localhost:8883").err
    (tmp_path / "ca").write_text("-")
    assert "--code" in blindrelay("chaos", "watch", "mqtts://localhost:8883", "--ca", tmp_path / "ca").err


@pytest.fixture
def place() -> Iterator[Path]:
    """For temporary folders. Not below `tmp_path`, which is closed to whom PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.needs("initdb", "nats-server")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing_running(how: signal.Signals, home: Path, place: Path) -> None:
    """No node, no PostgreSQL, no NATS, and no folder."""
    command = [
        sys.executable,
        "-m",
        "blindrelay",
        "chaos",
        "run",
        "node-frozen",
        "--engine",
        "postgresql",
        "--seconds",
        "60",
    ]
    environment = os.environ | {"BLINDRELAY_HOME": str(home), "TMPDIR": str(place)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "load" not in (line := process.stderr.readline()):
        assert line, "it has ended"
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) > 6
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert [child for child in started if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert list(place.iterdir()) == []
