"""`blindrelay simulate` and `blindrelay replay`: an enterprise's traffic, modelled or recorded, with real encryption."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.output import JSON_OPTION, console, emit
from blindrelay.cli.temporary_relay import temporary_relay
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.simulation import company, model, trace
from blindrelay.clients.simulation.events import Scenario
from blindrelay.clients.simulation.player import Player
from blindrelay.clients.simulation.tally import Percentiles, Summary
from blindrelay.protocol.clock import SystemClock

_SHOW_EVERY: Final = 0.25
_SECONDS_PER: Final = {"s": 1.0, "min": 60.0, "h": 3_600.0}


class RateType(click.ParamType[float]):
    """Messages per time: `200/s`, `90/min`, `5/h`. Becomes messages per second."""

    name = "N/s"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return messages per second, or fail with what a rate looks like."""
        number, _, unit = str(value).partition("/")
        rate = _positive(number) / _SECONDS_PER.get(unit, float("inf"))
        if not rate:
            self.fail(f"{value!r} is not a rate: expected a number such as 200/s, 90/min or 5/h", param, ctx)
        return rate


class SpeedType(click.ParamType[float]):
    """How many times faster than the clock: `60`, or `max`, which becomes 0."""

    name = "FACTOR|max"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the factor, or fail with what a speed looks like."""
        if value == "max":
            return 0.0
        speed = _positive(str(value))
        if not speed:
            self.fail(f"{value!r} is not a speed: expected a factor above 0, such as 60, or max", param, ctx)
        return speed


def _positive(text: str) -> float:
    """The number that `text` is; 0 when it is none, or none above 0."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 < number < float("inf") else 0.0


_RELAY = click.option(
    "--relay",
    "endpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this relay, by the endpoint.json in its data directory, with its limits; tenants get new names.  "
    "[default: a temporary relay]",
)


@click.command()
@click.option("--tenants", type=click.IntRange(1, 100), default=4, show_default=True, help="How many enterprises.")
@click.option(
    "--users", type=click.IntRange(2, 10_000), default=200, show_default=True, help="How many people, in all."
)
@click.option(
    "--rate", type=RateType(), default="50/s", show_default=True, help="Messages per time of yours, on average."
)
@click.option(
    "--hours", type=click.FloatRange(0, 24 * 31, min_open=True), default=8.0, show_default=True, help="Hours of theirs."
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Hours of theirs in one of yours.",
)
@click.option(
    "--from",
    "begins",
    type=click.FloatRange(0, 24),
    default=8.0,
    show_default=True,
    help="Hour of their day at which it begins.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed gives the same letters."
)
@_RELAY
@JSON_OPTION
def simulate(
    *,
    tenants: int,
    users: int,
    rate: float,
    hours: float,
    speed: float,
    begins: float,
    seed: int,
    endpoint: Path | None,
    as_json: bool,
) -> int:
    """Drive a modelled enterprise through a relay.

    Tenants have chiefs, departments and teams. Their day has office hours, a lunch break and quiet nights; people write
    mostly within their team, now and then to several people or to another tenant, and answer within minutes, so that
    traffic comes in bursts. RATE is an average over the run: with --hours 8 --speed 60 the run takes eight minutes, and
    with --rate 200/s it has 96,000 messages.

    Every person is a client of its own, with real keys and real encryption. In the end every message is accounted for. The
    exit code is 1 if one was lost, duplicated, out of order, refused or could not be decrypted. Ctrl-C sums up what there is.
    """
    seconds = hours * model.HOUR / speed
    names = model.tenant_names(tenants, _suffix(endpoint))
    shape = model.Shape(names, users, max(1, round(rate * seconds)), hours, begins, seed)
    try:
        scenario = model.imagine(shape)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return _run(scenario, speed, endpoint, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--speed", type=SpeedType(), default="max", show_default=True, help="How many times faster than it was recorded."
)
@click.option(
    "--tenants",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Spread the people over so many enterprises.",
)
@_RELAY
@JSON_OPTION
def replay(*, file: Path, speed: float, tenants: int, endpoint: Path | None, as_json: bool) -> int:
    """Drive a real trace through a relay.

    FILE has one `sender recipient seconds` per line, in order of time; lines of one sender and time are one mail to several
    people. The whole file is checked before anything is sent. Letters keep their senders' order, and with --speed max they
    leave as fast as they can.

    Every person is a client of its own, with real keys and real encryption. In the end every message is accounted for. The
    exit code is 1 if one was lost, duplicated, out of order, refused or could not be decrypted. Ctrl-C sums up what there is.
    """
    scenario = trace.read(file, model.tenant_names(tenants, _suffix(endpoint)))
    return _run(scenario, speed or None, endpoint, as_json=as_json)


def _suffix(endpoint: Path | None) -> str:
    # A tenant's name belongs to whoever registered it first: each run on a relay that stays brings new ones.
    return f"-{secrets.token_hex(3)}" if endpoint else ""


def _run(scenario: Scenario, speed: float | None, endpoint: Path | None, *, as_json: bool) -> int:
    company.check_files(len(scenario.people))
    terminal = Console(stderr=True)
    summary = uvloop.run(_perform(scenario, speed, endpoint, terminal))
    if summary is None:
        return ExitCode.INTERRUPTED
    if as_json:
        emit({**asdict(summary), "to_self": scenario.to_self, "flawless": summary.flawless})
    else:
        _show(summary, scenario)
    if not summary.flawless:
        return ExitCode.FAILED
    return ExitCode.OK if summary.complete else ExitCode.INTERRUPTED


async def _perform(scenario: Scenario, speed: float | None, endpoint: Path | None, terminal: Console) -> Summary | None:
    """Play; None when it was interrupted before it had begun."""
    player: Player | None = None
    try:
        async with contextlib.AsyncExitStack() as stack:
            progress = stack.enter_context(_progress(terminal))
            relay = RelayAddress.from_file(endpoint) if endpoint else await stack.enter_async_context(temporary_relay())
            joining = progress.add_task("joining", total=len(scenario.people), rate="")
            people = await stack.enter_async_context(
                company.at_work(scenario, relay, joined=lambda: progress.advance(joining))
            )
            player = Player(scenario, people, SystemClock(), speed=speed)
            await stack.enter_async_context(_shown(player, progress))
            return await player.play()
    except asyncio.CancelledError:
        # Ctrl-C: asyncio cancels this task, once. A second Ctrl-C ends the process.
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        return player.interrupted() if player else None


def _progress(terminal: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=terminal,
        disable=not terminal.is_terminal,
    )


@contextlib.asynccontextmanager
async def _shown(player: Player, progress: Progress) -> AsyncIterator[None]:
    """Keep a bar of what has arrived, and the rate of the last seconds, until left."""
    bar = progress.add_task("delivered", total=player.tally.planned, rate="")
    task = asyncio.create_task(_update(player, lambda done, rate: progress.update(bar, completed=done, rate=rate)))
    try:
        yield
    finally:
        task.cancel()
        progress.update(bar, completed=player.tally.decrypted)


async def _update(player: Player, show: Callable[[int, str], Any]) -> None:
    rate, before = 0.0, 0
    while True:
        await asyncio.sleep(_SHOW_EVERY)
        done = player.tally.decrypted
        # Smoothed over a few seconds, so that it can be read.
        rate += ((done - before) / _SHOW_EVERY - rate) * 0.1
        before = done
        show(done, f"{rate:,.0f}/s")


def _show(summary: Summary, scenario: Scenario) -> None:
    table = Table(show_header=False, box=None)
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name in ("people", "planned", "sent", "accepted", "delivered", "decrypted"):
        table.add_row(name, f"{getattr(summary, name):,}")
    for name in ("refused", "lost", "duplicated", "undecryptable", "out_of_order"):
        count = getattr(summary, name)
        table.add_row(name.replace("_", " "), f"{count:,}", style="red" if count else "")
    if not summary.complete:
        table.add_row("under way", f"{summary.under_way:,}")
    if scenario.to_self:
        table.add_row("to themselves, not sent", f"{scenario.to_self:,}")
    rate = summary.decrypted / summary.seconds if summary.seconds else 0.0
    table.add_row("seconds", f"{summary.seconds:,.1f}")
    table.add_row("messages a second", f"{rate:,.0f}")
    table.add_row("until accepted", _words(summary.to_accepted))
    table.add_row("until decrypted", _words(summary.to_decrypted))
    out = console()
    if not summary.complete:
        out.print("Interrupted: this is how far it came.")
    out.print(table)


def _words(percentiles: Percentiles | None) -> str:
    if percentiles is None:
        return "-"
    p50, p99, worst = (1_000 * seconds for seconds in (percentiles.p50, percentiles.p99, percentiles.worst))
    return f"{p50:,.0f} ms (99 %: {p99:,.0f}, worst: {worst:,.0f})"
