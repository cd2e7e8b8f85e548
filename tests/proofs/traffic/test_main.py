"""Measuring a trace from the command line."""

import subprocess
import sys
from pathlib import Path


def measure(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it."""
    return subprocess.run(
        [sys.executable, "-m", "blindrelay.proofs.traffic", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_trace_is_measured_in_both_postures(tmp_path: Path) -> None:
    """Two people who write and answer: in standard every sender is named, and there is a number for sealed."""
    file = tmp_path / "trace.txt"
    file.write_text("".join(f"{1 + n % 2} {2 - n % 2} {n * 60}\n" for n in range(40)))

    done = measure(str(file))

    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    values = {what.split("  (")[0]: float(value) for value, _, what in lines}
    assert values["letters whose sender is named, standard"] == 1.0
    assert "letters whose sender is named, sealed" in values


def test_what_is_no_trace_is_said_with_its_line(tmp_path: Path) -> None:
    """And what was expected."""
    file = tmp_path / "trace.txt"
    file.write_text("1 2 0\n1 2\n")

    done = measure(str(file))

    assert done.returncode == 2
    assert "trace.txt, line 2: 2 fields instead of three; expected: sender recipient seconds" in done.stderr
