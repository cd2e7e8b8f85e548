"""How each fault is done. A strike draws its target, does it for so long and returns: healing is somebody else's."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
from typing import Final, TypeVar

from blindrelay.proofs.chaos.matrix.commits import CommitCutter
from blindrelay.proofs.chaos.matrix.database import Database, NotPossibleHere
from blindrelay.proofs.chaos.matrix.site import gathered
from blindrelay.proofs.chaos.matrix.stage import Stage
from blindrelay.proofs.chaos.proxy import Flow, Proxy
from blindrelay.proofs.chaos.world import World
from blindrelay.protocol import sizes

T = TypeVar("T")

HOUR: Final = 3_600.0
# More than fits into the buffers of both kernels: the relay has to hold back the rest.
_UNREAD: Final = 60
_UNREAD_SIZE: Final = sizes.padme(150_000)
_CUTS: Final = 4


def _name(node: World) -> str:
    return node.log.parent.name


def _some(chance: random.Random, everything: list[T]) -> list[T]:
    """One of them, or all."""
    return everything if chance.random() < 0.4 else [chance.choice(everything)]


async def node_killed(stage: Stage, chance: random.Random, length: float) -> None:
    """`kill -9` of a node."""
    node = chance.choice(stage.site.nodes)
    stage.note(f"kill -9 of {_name(node)}")
    await stage.site.kill(node)
    await asyncio.sleep(length)


async def node_frozen(stage: Stage, chance: random.Random, _: float) -> None:
    """SIGSTOP, and SIGCONT."""
    node = chance.choice(stage.site.nodes)
    stage.note(f"SIGSTOP of {_name(node)}, {stage.frozen:g} s")
    node.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(stage.frozen)
    finally:
        node.signal(signal.SIGCONT)


async def database_killed(stage: Stage, _: random.Random, length: float) -> None:
    """`kill -9` of PostgreSQL."""
    stage.note("kill -9 of PostgreSQL")
    await _database(stage).kill()
    await asyncio.sleep(length)


async def nats_killed(stage: Stage, chance: random.Random, length: float) -> None:
    """`kill -9` of one NATS server."""
    await _kill_nats(stage, chance, 1)
    await asyncio.sleep(length)


async def two_nats_killed(stage: Stage, chance: random.Random, length: float) -> None:
    """`kill -9` of two."""
    await _kill_nats(stage, chance, 2)
    await asyncio.sleep(length)


async def everything_restarted(stage: Stage, _: random.Random, length: float) -> None:
    """`kill -9` of all there is."""
    site = stage.site
    stage.note("kill -9 of everything")
    await gathered(
        [
            site.kill(*site.nodes),
            *([site.database.kill()] if site.database is not None else []),
            *(asyncio.to_thread(server.stop, signal.SIGKILL) for server in site.nats),
        ]
    )
    await asyncio.sleep(length)


async def disk_full(stage: Stage, _: random.Random, length: float) -> None:
    """No room on the database's disk."""
    stage.note("the database's disk is filled")
    database = _database(stage)
    await asyncio.to_thread(database.fill)
    await asyncio.sleep(length)


async def sync_fails(stage: Stage, _: random.Random, length: float) -> None:
    """PostgreSQL's syncs fail: it ends all its processes and recovers from its journal, by itself."""
    strace = shutil.which("strace")
    if strace is None:
        raise NotPossibleHere("strace is not installed: it makes syncs fail")
    stage.note("fdatasync of PostgreSQL fails with EIO")
    targets = [word for pid in _database(stage).processes() for word in ("-p", str(pid))]
    tracer = await asyncio.create_subprocess_exec(
        *(strace, "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"),
        *targets,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await asyncio.sleep(length)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(tracer.pid, signal.SIGTERM)
        await tracer.wait()


async def nodes_partitioned(stage: Stage, _: random.Random, length: float) -> None:
    """Every node alone with its NATS server."""
    stage.note("nodes are cut off from each other")
    await stage.site.part()
    await asyncio.sleep(length)


async def database_cut_off(stage: Stage, chance: random.Random, length: float) -> None:
    """Some nodes without their database."""
    await _part(stage, chance, "the database", _some(chance, stage.site.lines), length)


async def clients_cut_off(stage: Stage, chance: random.Random, length: float) -> None:
    """Some nodes without their clients."""
    await _part(stage, chance, "clients", _some(chance, stage.site.doors), length)


async def slow_network(stage: Stage, _: random.Random, length: float) -> None:
    """Everything late, and some of it later. The database is next door."""
    site = stage.site
    stage.note("300 ms each way, 5 % loss")
    for proxy in (*site.doors, *site.routes, *site.ways.values()):
        await proxy.let(Flow.LOSSY)
    await asyncio.sleep(length)


async def wake_ups_lost(stage: Stage, chance: random.Random, _: float) -> None:
    """For as long as nobody heals it."""
    if chance.random() < 0.5:
        stage.note("NATS is gone, all of it")
        await _kill_nats(stage, chance, len(stage.site.nats))
    else:
        stage.note("every node has its own NATS server, and no other hears of what that is told")
        await stage.site.part(Flow.REFUSED)


async def commit_cut(stage: Stage, chance: random.Random, length: float) -> None:
    """Connections to the database end inside a COMMIT."""
    cutter = CommitCutter(chance, _CUTS)
    for line in stage.site.lines:
        line.watch = cutter
    await asyncio.sleep(length)
    stage.note(f"cut inside COMMIT: {', '.join(cut.name.lower() for cut in cutter.cuts) or 'never'}")


async def reader_never_reads(stage: Stage, chance: random.Random, length: float) -> None:
    """A client that does not read, and much to be read."""
    devices = list(stage.workload.devices.values())
    deaf = chance.choice(devices)
    stage.note(f"{deaf.address} does not read; {_UNREAD} messages of {_UNREAD_SIZE >> 10} KiB are sent to it")
    deaf.read(does=False)
    try:
        for number in range(_UNREAD):
            sender = devices[(devices.index(deaf) - 1 - number % 2) % len(devices)]
            sender.send(deaf.address, _UNREAD_SIZE)
            await asyncio.sleep(length / _UNREAD)
    finally:
        deaf.read(does=True)


async def reconnect_storm(stage: Stage, _: random.Random, __: float) -> None:
    """All connections end, and all come back."""
    assert stage.crowd is not None  # noqa: S101 - the fault says that it wants one
    stage.note(f"{len(stage.crowd)} clients come back at once")
    stage.crowd.leave_at_once()
    stage.workload.hurry()


async def clock_jumps(stage: Stage, chance: random.Random, length: float) -> None:
    """Forward, back, and right again."""
    nodes = _some(chance, stage.site.nodes)
    for offset in (HOUR, -HOUR):
        stage.note(f"{offset / 60:+g} min at {', '.join(map(_name, nodes))}")
        for node in nodes:
            node.step_clock(offset)
        await asyncio.sleep(length / 2)


async def _kill_nats(stage: Stage, chance: random.Random, count: int) -> None:
    servers = chance.sample(stage.site.nats, count)
    stage.note(f"kill -9 of {', '.join(server.folder.name for server in servers)}")
    for server in servers:
        await asyncio.to_thread(server.stop, signal.SIGKILL)


async def _part(stage: Stage, chance: random.Random, what: str, proxies: list[Proxy], length: float) -> None:
    """Nothing passes: with every connection ended, or with nobody told."""
    every = stage.site.lines + stage.site.doors
    names = [f"n{every.index(proxy) % len(stage.site.nodes) + 1}" for proxy in proxies]
    flow = chance.choice((Flow.HELD, Flow.REFUSED))
    how = "and nobody is told" if flow is Flow.HELD else "connections are reset"
    stage.note(f"{', '.join(names)} and {what} do not reach each other, {how}")
    for proxy in proxies:
        await proxy.let(flow)
    await asyncio.sleep(length)


def _database(stage: Stage) -> Database:
    if stage.site.database is None:
        raise NotPossibleHere("there is no database server in this deployment")
    return stage.site.database
