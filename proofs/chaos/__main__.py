"""`python -m blindrelay.proofs.chaos`: run the proof and say what came of it."""

import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from blindrelay.proofs.chaos import boundaries, saboteurs
from blindrelay.proofs.chaos.matrix import plan as matrix
from blindrelay.proofs.chaos.matrix.faults import FAULTS
from blindrelay.proofs.chaos.matrix.matrix import carry_out, prepared
from blindrelay.proofs.chaos.nemesis import Strike
from blindrelay.proofs.chaos.oracle import Finding
from blindrelay.proofs.chaos.run import Plan, Report, Run
from blindrelay.proofs.chaos.saboteurs import SABOTEURS, Saboteur, Weather

# After so many calls in a row at which strace had nothing to kill, the script has no more of them. Their number varies a
# little from run to run: it depends on which messages share a commit.
_BEYOND_THE_END = 4


class Tally:
    """What has been tried, and what became of it."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def add(self, name: str, problems: list[str]) -> None:
        """Count one, and show it."""
        if problems:
            self.failed += 1
            click.secho(f"FAIL  {name}", fg="red", bold=True)
            for problem in problems[:10]:
                click.echo(f"      {problem}")
            if len(problems) > 10:
                click.echo(f"      ... and {len(problems) - 10} more")
        else:
            self.passed += 1
            click.echo(f"pass  {name}")


@click.command(epilog="The exit status is 1 if anything failed. Boundaries, power cuts and saboteurs need strace.")
@click.option("--seeds", default=20, show_default=True, help="How many schedules of random faults to run.")
@click.option("--first-seed", default=1, show_default=True, help="The first of them.")
@click.option("--seconds", default=20.0, show_default=True, help="How long the faults of one seed last.")
@click.option("--devices", default=16, show_default=True, help="How many devices write to each other.")
@click.option("--rate", default=6.0, show_default=True, help="Messages per second and device.")
@click.option(
    "--boundaries", "calls", default="", metavar="CALL", help="Also kill at every CALL: fdatasync or pwrite64."
)
@click.option("--power-cuts", default=0, help="Also cut the power of the scripted run, with as many seeds.")
@click.option("--saboteurs", "sabotage", is_flag=True, help="Also check that the oracle finds every saboteur.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where what failed is kept. Default: a temporary folder.")
@click.option("--shrink", is_flag=True, help="Look for a shorter schedule that fails as well.")
@click.option("--verbose", is_flag=True, help="Show every fault.")
def main(  # noqa: PLR0913, PLR0917 - one for each option
    seeds: int,
    first_seed: int,
    seconds: float,
    devices: int,
    rate: float,
    calls: str,
    power_cuts: int,
    sabotage: bool,
    keep: Path | None,
    shrink: bool,
    verbose: bool,
) -> None:
    """Show that no acknowledged message is lost, doubled or mixed up, whatever happens to the relay.

    A relay is started as a process of its own. Devices write to each other through it while it is killed, stopped, frozen and
    cut off, and an oracle compares what they saw with what its store holds.
    """
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it comments on every connection that we cut
    keep = keep or Path(tempfile.mkdtemp(prefix="blindrelay-chaos-"))
    keep.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    say: Callable[[str], None] = click.echo if verbose else lambda _: None
    for seed in range(first_seed, first_seed + seeds):
        plan = Plan(seed, seconds, devices, rate)
        report = _run(plan, keep / f"seed-{seed}", say)
        tally.add(report.summary(), [str(finding) for finding in report.findings])
        if report.findings and shrink:
            _shrink(plan, keep)
    asyncio.run(_enumerate(keep, calls, power_cuts, tally))
    if sabotage:
        for saboteur in SABOTEURS.values():
            tally.add(f"saboteur {saboteur.name} is found", asyncio.run(missed(saboteur, _fresh(keep / saboteur.name))))
            shutil.rmtree(keep / saboteur.name)
    if tally.failed:
        click.echo(f"journals, schedules and data folders of what failed: {keep}")
    else:
        shutil.rmtree(keep)
    click.secho(f"{tally.passed} passed, {tally.failed} failed", bold=True)
    sys.exit(bool(tally.failed))


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Report:
    report = asyncio.run(Run(plan, _fresh(folder), say).carry_out())
    if not report.findings:
        shutil.rmtree(folder)
    return report


def _shrink(plan: Plan, keep: Path) -> None:
    """Halve the schedule for as long as a half of it fails as well."""
    strikes: tuple[Strike, ...] = plan.strikes
    while len(strikes) > 1:
        middle = len(strikes) // 2
        for half in (strikes[:middle], strikes[middle:]):
            smaller = replace(plan, schedule=half)
            if _run(smaller, keep / f"seed-{plan.seed}-smaller", lambda _: None).findings:
                strikes = half
                break
        else:
            break
    click.echo(
        "      smallest schedule that was seen to fail: " + "; ".join(f"{s.at} s {s.fault.value}" for s in strikes)
    )


async def _enumerate(keep: Path, call: str, power_cuts: int, tally: Tally) -> None:
    if not call and not power_cuts:
        return
    template = await boundaries.prepare(_fresh(keep / "template"))
    number, beyond = 1, 0
    while call and beyond < _BEYOND_THE_END:
        folder = _fresh(keep / f"{call}-{number}")
        played = await boundaries.kill_at(template, folder, number, call)
        beyond = 0 if played.status else beyond + 1
        if played.status:
            tally.add(f"killed at {call} {number}", _worded(played.findings))
        if not played.findings:
            shutil.rmtree(folder)
        number += 1
    for seed in range(power_cuts):
        folder = _fresh(keep / f"power-{seed}")
        cuts = await boundaries.cut_power(template, folder, seed=seed)
        tally.add(f"power cut {seed}: {cuts.images} images", _worded(cuts.findings))
        if not cuts.findings:
            shutil.rmtree(folder)
    shutil.rmtree(keep / "template")


def _worded(findings: list[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


async def missed(saboteur: Saboteur, folder: Path) -> list[str]:
    """Run a saboteur; which of the invariants that it breaks the oracle did not report. `folder` must exist."""
    found = {finding.invariant for finding in await _sabotaged(saboteur, folder)}
    return [f"the oracle did not report {invariant.name}: {invariant.value}" for invariant in saboteur.breaks - found]


def matrix_plan(saboteur: Saboteur) -> matrix.Plan:
    """A run of the fault matrix in which the saboteur shows."""
    return matrix.Plan(
        FAULTS[saboteur.fault],
        saboteur.seed,
        seconds=5.0,  # a connection that is taken over in the beginning has been too long by then
        devices=8,
        saboteur=saboteur.name,
        mood=saboteur.mood,
        patience=saboteurs.PATIENCE,
    )


async def _sabotaged(saboteur: Saboteur, folder: Path) -> list[Finding]:
    if saboteur.weather is Weather.FAULTS:
        plan = Plan(
            1,
            saboteurs.SCHEDULE_SECONDS,
            saboteur=saboteur.name,
            schedule=saboteurs.SCHEDULE,
            patience=saboteurs.PATIENCE,
            mood=saboteur.mood,
        )
        return (await Run(plan, folder).carry_out()).findings
    (folder / "template").mkdir()
    (folder / "run").mkdir()
    if saboteur.weather is Weather.NODES:
        nodes = matrix_plan(saboteur)
        with prepared(nodes.engine) as database:
            return list((await carry_out(nodes, folder / "run", database)).findings)
    template = await boundaries.prepare(folder / "template")
    if saboteur.weather is Weather.POWER_CUT:
        return (await boundaries.cut_power(template, folder / "run", saboteur=saboteur.name)).findings
    return (await boundaries.fail_at(template, folder / "run", 10, once=False, saboteur=saboteur.name)).findings


if __name__ == "__main__":
    main()
