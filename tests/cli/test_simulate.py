"""`blindrelay simulate` and `blindrelay replay`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli import simulate as module
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.clients.simulation.events import Scenario
from blindrelay.clients.simulation.player import Player
from blindrelay.clients.simulation.tally import Summary, Tally
from support.commands import Ran
from support.trace import made_up

Run = Callable[..., Ran]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A small trace."""
    path = tmp_path / "trace.txt"
    path.write_text(made_up(60, 8))
    return path


def test_a_trace_is_replayed_on_a_relay_of_its_own(trace: Path, blindrelay: Run) -> None:
    """Without a relay there is one for as long as it takes; every message is accounted for."""
    ran = blindrelay("replay", trace, "--json")
    summary = json.loads(ran.out)
    assert ran.code == ExitCode.OK, ran.err
    assert summary["flawless"] is True
    assert summary["sent"] == summary["accepted"] == summary["delivered"] == summary["decrypted"] == 60
    assert summary["lost"] == summary["duplicated"] == summary["undecryptable"] == summary["out_of_order"] == 0


def test_an_enterprise_is_simulated(blindrelay: Run) -> None:
    """An hour of theirs in two seconds of ours, and a summary for people."""
    ran = blindrelay("simulate", "--users", 12, "--tenants", 2, "--hours", 1, "--speed", 1800, "--rate", "20/s")
    assert ran.code == ExitCode.OK, ran.err
    words = ran.out.split()
    assert words[words.index("planned") + 1] == "40"
    assert words[words.index("decrypted") + 1] == "40"
    assert words[words.index("lost") + 1] == "0"


def test_a_malformed_trace_is_refused_before_anything_starts(tmp_path: Path, blindrelay: Run) -> None:
    """One sentence with the line, what is wrong with it and what was expected; no relay was started."""
    path = tmp_path / "bad.txt"
    path.write_text("1 2 3\n1 2\n")
    ran = blindrelay("replay", path)
    assert ran.code == ExitCode.MALFORMED
    assert "bad.txt, line 2: 2 fields instead of three; expected: sender recipient seconds" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "--rate", "fast"], "'fast' is not a rate"),
        (["simulate", "--rate", "5/week"], "'5/week' is not a rate"),
        (["simulate", "--rate", "-5/s"], "'-5/s' is not a rate"),
        (["simulate", "--tenants", "4", "--users", "5"], "expected at least two in each"),
        (["simulate", "--hours", "0"], "0"),
        (["replay", "/nowhere/trace"], "does not exist"),
        (["replay", __file__, "--speed", "0"], "'0' is not a speed"),
        (["replay", __file__, "--speed", "nan"], "'nan' is not a speed"),
    ],
)
def test_a_wrong_option_is_a_sentence(arguments: list[str], words: str, blindrelay: Run) -> None:
    """What was wrong and what was expected, and exit code 2."""
    ran = blindrelay(*arguments)
    assert ran.code == ExitCode.USAGE
    assert words in ran.err


def test_rates_are_messages_per_time() -> None:
    """Per second, minute or hour."""
    rate = module.RateType()
    assert [rate.convert(text, None, None) for text in ("200/s", "90/min", "36/h")] == [200.0, 1.5, 0.01]


@pytest.mark.parametrize("wrong", ["lost", "duplicated", "undecryptable", "out_of_order", "refused"])
def test_a_flaw_is_exit_code_1(wrong: str, trace: Path, blindrelay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever went wrong with whichever message."""
    from dataclasses import replace

    good = Tally(people=2, planned=0).summary(1.0)

    async def perform(*_: object) -> Summary:
        return replace(good, **{wrong: 1})  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_perform", perform)
    assert blindrelay("replay", trace).code == ExitCode.FAILED


def test_a_relay_that_does_not_start_is_said(trace: Path, blindrelay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary relay's process ends at once: a sentence and an exit code."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    ran = blindrelay("replay", trace)
    assert ran.code == ExitCode.RELAY_UNREACHABLE
    assert "the temporary relay ended with exit code 1" in ran.err


async def test_interrupted_the_summary_is_of_what_there_was(monkeypatch: pytest.MonkeyPatch, trace: Path) -> None:
    """A Ctrl-C cancels the performance, which then returns how far it came and leaves no relay behind."""
    begun = asyncio.Event()

    async def play(self: Player) -> Summary:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(Player, "play", play)
    scenario: Scenario = module.trace.read(trace, ["acme.example"])
    task = asyncio.create_task(module._perform(scenario, None, None, module.Console(stderr=True)))
    await begun.wait()
    task.cancel()
    summary = await task
    assert summary is not None
    assert not summary.complete


def test_ctrl_c_ends_a_run_with_a_summary(trace: Path, home: Path) -> None:
    """SIGINT to the process: the partial summary, exit code 130, and nothing left running."""
    command = [sys.executable, "-m", "blindrelay", "replay", str(trace), "--speed", "0.001", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as run:
        # The relay's process is a child of the command's; it is there when the command has begun.
        _wait_for_a_child(run.pid)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED, err
    assert "Traceback" not in err
    if out:
        assert json.loads(out)["complete"] is False


def _wait_for_a_child(pid: int) -> None:
    import psutil

    while not psutil.Process(pid).children(recursive=True):
        psutil.Process(pid).status()
