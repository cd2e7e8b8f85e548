"""The command: `python -m benchmarks`."""

import asyncio
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import machine
from benchmarks.processes import Failed
from benchmarks.report import Report
from benchmarks.scenarios import SCENARIOS
from benchmarks.world import Scale, World

RESULTS = Path("benchmarks.json")
# The table's columns, where nobody looks at it in a terminal.
WIDTH = 160
_DEFAULT = Scale()
QUICK = Scale(seconds=2.0, warm_up=0.5, records=200_000, idle=500, contacts=10, minutes=0.25)


async def measure(names: tuple[str, ...], scale: Scale, report: Report, folder: Path) -> None:
    """Carry out the scenarios `names` in a new world below `folder`."""
    world = await asyncio.to_thread(World, folder, scale)
    for name in names:
        report.console.rule(name)
        await SCENARIOS[name](world, report)


def _hurry(context: click.Context, _: click.Parameter, quick: bool) -> None:
    if quick:
        context.default_map = asdict(QUICK)


@click.command(context_settings={"show_default": True})
@click.option(
    "--quick",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_hurry,
    help="A minute, for a first impression.",
)
@click.option(
    "--only", "names", multiple=True, type=click.Choice(list(SCENARIOS)), help="Measure this; may be repeated."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=_DEFAULT.seconds, help="How long each load is counted."
)
@click.option(
    "--warm-up", type=click.FloatRange(min=0), default=_DEFAULT.warm_up, help="Seconds before counting begins."
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=_DEFAULT.rounds, help="How often what is compared takes turns."
)
@click.option("--pairs", type=click.IntRange(1, 2_000), default=_DEFAULT.pairs, help="Senders, and as many receivers.")
@click.option(
    "--window", type=click.IntRange(1, 128), default=_DEFAULT.window, help="Unacknowledged messages of a sender."
)
@click.option(
    "--records", type=click.IntRange(min=1), default=_DEFAULT.records, help="TrafficRecords of a long history."
)
@click.option("--idle", type=click.IntRange(min=1), default=_DEFAULT.idle, help="Idle connections.")
@click.option("--contacts", type=click.IntRange(min=1), default=_DEFAULT.contacts, help="New devices to be met.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.01),
    default=_DEFAULT.minutes,
    help="How long the console is looked at live.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where relays keep their data meanwhile: the disk that is measured. A temporary folder otherwise.",
)
@click.option(
    "--json",
    "results",
    type=click.Path(path_type=Path, dir_okay=False),
    default=RESULTS,
    help="Results, machine included.",
)
def main(names: tuple[str, ...], folder: Path | None, results: Path, **amounts: Any) -> None:
    """Measure the relay and the clients, each in processes of their own, on the loopback interface.

    Exit code 1 when a message was lost, duplicated or out of order, however fast.
    """
    scale = Scale(**amounts)
    with tempfile.TemporaryDirectory(prefix="blindrelay-benchmarks-", dir=folder) as temporary:
        report = Report(Console(width=max(WIDTH, Console().width)), machine.describe(Path(temporary)))
        try:
            asyncio.run(measure(names or tuple(SCENARIOS), scale, report, Path(temporary)))
        except Failed as error:
            raise click.ClickException(str(error)) from error
    report.show()
    report.write(results)
    report.console.print(f"written to {results}")
    sys.exit(0 if report.sound else 1)


if __name__ == "__main__":
    main()
