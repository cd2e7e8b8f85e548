"""The benchmark program, at a size at which it measures nothing: it runs, checks what it carries, and reports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "--pairs=2",
    "--window=4",
    "--seconds=0.2",
    "--warm-up=0.1",
    "--rounds=1",
    "--records=1000",
    "--idle=6",
    "--contacts=2",
]
TINY += ["--minutes=0.02"]
BY_NAME = [pytest.param(name, marks=pytest.mark.needs("chromium")) if name == "console" else name for name in SCENARIOS]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_scenario_runs_and_reports(name: str, tmp_path: Path) -> None:
    """Each scenario ends with exit code 0, says its measurements, and writes them with the machine beside them."""
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", f"--only={name}", *TINY, f"--json={results}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    written = json.loads(results.read_text())
    assert written["machine"]["cores"] > 0
    assert written["measurements"]
    for measurement in written["measurements"]:
        assert measurement["name"] in run.stdout
        assert not any(measurement["checks"].values())
        for unit, value in measurement["values"].items():
            assert value == value, unit  # noqa: PLR0124  not a number is not equal to itself


def test_help_says_what_can_be_measured() -> None:
    """`--help` names every scenario."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in SCENARIOS:
        assert name in run.stdout
