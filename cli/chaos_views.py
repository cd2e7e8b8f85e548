"""What `blindrelay chaos` shows."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blindrelay.proofs.chaos.matrix.faults import Fault
from blindrelay.proofs.chaos.matrix.plan import Verdict, slowest
from blindrelay.proofs.chaos.matrix.service import STARVED
from blindrelay.proofs.chaos.matrix.watch import Watched
from blindrelay.proofs.chaos.oracle import Invariant

_SHOWN = 10


def show_faults(output: Console, faults: Iterable[Fault]) -> None:
    """A row for each."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("fault", no_wrap=True)
    table.add_column("on", no_wrap=True)
    table.add_column("what it does")
    for fault in faults:
        table.add_row(fault.name, "both" if len(fault.engines) > 1 else next(iter(fault.engines)), escape(fault.does))
    output.print(table)


class Rows:
    """A line for each run, as it ends."""

    def __init__(self, output: Console, runs: int) -> None:
        self._output = output
        self._runs = runs
        self._done = 0

    def add(self, verdict: Verdict) -> None:
        """One more."""
        self._done += 1
        plan = verdict.plan
        what = f"{self._done:>{len(str(self._runs))}}/{self._runs} {plan.fault.name}, seed {plan.seed}: "
        if verdict.skipped:
            self._output.print(f"[yellow]skip[/]  {what}{escape(verdict.skipped)}")
            return
        done = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
        colour, word = ("green", "good") if verdict.passed else ("red", "FAIL")
        counts = f"{verdict.counts['acked']:,} of {verdict.counts['messages']:,} acknowledged"
        self._output.print(f"[{colour}]{word}[/]  {what}{counts}{_back(verdict.slowest)}{escape(done)}")
        for finding in verdict.findings[:_SHOWN]:
            self._output.print(f"      [red]{escape(str(finding))}[/]")
        if len(verdict.findings) > _SHOWN:
            self._output.print(f"      ... and {len(verdict.findings) - _SHOWN} more: {verdict.plan.name}/verdict.json")


def _back(seconds: float) -> str:
    return f", all served again within {seconds:.1f} s" if 0 < seconds < float("inf") else ""


def show_verdicts(output: Console, verdicts: Sequence[Verdict], folder: Path | None) -> None:
    """A row for each fault, and a sentence. `folder`: where the evidence is."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("fault", no_wrap=True)
    for heading in ("runs", "messages", "acknowledged", "lost", "twice", "out of order", "back within", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for fault, group in groupby(verdicts, key=lambda verdict: verdict.plan.fault.name):
        table.add_row(fault, *_cells(list(group)))
    output.print(table)
    failed = [verdict for verdict in verdicts if verdict.findings]
    skipped = sum(bool(verdict.skipped) for verdict in verdicts)
    held = len(verdicts) - len(failed) - skipped
    output.print(
        f"{held} of {len(verdicts)} runs held" + (f", {skipped} could not be done here" if skipped else "") + "."
    )
    starved = sum(verdict.waited >= STARVED for verdict in verdicts)
    if starved:
        output.print(
            f"[yellow]In {starved} of them nodes waited for a processor for more than {STARVED:g} times as long as they had "
            "one: their times say more about this machine than about the relay, and are not judged.[/]"
        )
    for verdict in failed:
        plan = verdict.plan
        output.print(
            f"Again: blindrelay chaos run {plan.fault.name} --seed {plan.seed} --engine {plan.engine} "
            f"--seconds {plan.seconds:g} --devices {plan.devices} --rate {plan.rate:g}"
        )
    if folder is not None:
        output.print(f"Timelines, and what failed as a whole: {folder}", soft_wrap=True)


def _cells(verdicts: list[Verdict]) -> list[str]:
    def count(what: str) -> str:
        return f"{sum(verdict.counts[what] for verdict in verdicts):,}"

    def broken(invariant: Invariant) -> str:
        number = sum(verdict.broken(invariant) for verdict in verdicts)
        return f"[red]{number}[/]" if number else "0"

    ran = [verdict for verdict in verdicts if not verdict.skipped]
    longest, peak = slowest(ran), max((verdict.peak for verdict in ran), default=0)
    back = "-" if not longest else "[red]never[/]" if longest == float("inf") else f"{longest:.1f} s"
    failed = sum(bool(verdict.findings) for verdict in ran)
    word = "[yellow]skipped[/]" if not ran else f"[red]{failed} FAILED[/]" if failed else "[green]held[/]"
    return [
        str(len(ran)),
        count("messages"),
        count("acked"),
        *(broken(invariant) for invariant in (Invariant.I1, Invariant.I2, Invariant.I4)),
        back,
        f"{peak >> 20} MiB" if peak else "-",
        word,
    ]


def show_watched(output: Console, watched: Watched, folder: Path | None) -> None:
    """What became of a watch. `folder`: where the evidence is."""
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    for name, what in (
        ("messages", "messages"),
        ("acknowledged", "acked"),
        ("refused", "refused"),
        ("delivered", "handed"),
    ):
        table.add_row(name, f"{watched.counts[what]:,}")
    for name, invariant in (("lost", Invariant.I1), ("applied twice", Invariant.I2), ("out of order", Invariant.I4)):
        number = watched.broken(invariant)
        table.add_row(name, f"{number:,}", style="red" if number else "")
    output.print(table)
    for silence in watched.silences[:_SHOWN]:
        output.print(f"nobody was served for {silence.seconds:.1f} s, from second {silence.at:.0f} on")
    for at, status in watched.commands:
        if status:
            output.print(
                f"[yellow]the fault command ended with status {status} in second {at:.0f}: did it do anything?[/]"
            )
    for finding in watched.findings[:_SHOWN]:
        output.print(f"[red]{escape(str(finding))}[/]")
    output.print("Nothing that was acknowledged was lost." if watched.passed else "[red]It did not hold.[/]")
    if folder is not None:
        output.print(f"Timeline and journals: {folder}", soft_wrap=True)
