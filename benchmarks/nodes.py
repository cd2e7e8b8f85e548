"""What it costs that a relay is three nodes: throughput on the same processors, and the way of a message between two of them.

PostgreSQL and NATS are started for it, with what their defaults promise (`fsync` and all), on the same machine.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import psutil  # type: ignore[import-untyped]

from benchmarks.job import Server
from benchmarks.processes import ROOT, Program
from benchmarks.report import Measurement, Report, of_load
from benchmarks.world import Load, World
from blindrelay.proofs.engines import postgres
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.cluster import identity

# The servers are started as the tests start them.
sys.path.append(str(ROOT / "tests"))
from support import nats

NODES: Final = ("n1", "n2", "n3")
#: Messages a second, where the way of a message is measured and not a queue.
GENTLY: Final = 200.0
#: Three nodes on the processors of one keep this part of its throughput; a message between nodes takes this much longer. ms.
AIM: Final = 0.8
LONGER: Final = 5.0

Node = tuple[Program, Server]


async def cluster(world: World, report: Report) -> None:
    """One node and three, in turns, so that a busy machine hits both."""
    if postgres.programs() is None or nats.program() is None:
        report.console.print("PostgreSQL or nats-server is not installed: left out")
        return
    full: dict[int, list[Load]] = {1: [], len(NODES): []}
    gentle: dict[int, list[Load]] = {1: [], len(NODES): []}
    spent: dict[int, list[float]] = {1: [], len(NODES): []}
    async with AsyncExitStack() as stack:
        server = stack.enter_context(postgres.server())
        wakes = stack.enter_context(nats.nats_server())
        relays = {
            count: await stack.enter_async_context(_nodes(world, server.new_database(), wakes.url, NODES[:count]))
            for count in full
        }
        for _ in range(world.scale.rounds):
            for count, (first, *others) in relays.items():
                before = _cpu(server, wakes)
                full[count].append(load := await world.load(*first, others=others))
                spent[count].append((load.server_cpu + _cpu(server, wakes) - before) / max(load.result.delivered, 1))
                gentle[count].append(await world.load(*first, others=others, rate=GENTLY))
    for count, loads in full.items():
        name = f"{count} node{'s' if count > 1 else ''} on PostgreSQL, mutual TLS"
        report.add(of_load(name, _middle(loads)))
    one, three = (median(load.result.rate for load in loads) for loads in full.values())
    here, there = (median(load.result.to_recipient.p50 for load in loads) for loads in gentle.values())
    report.add(
        Measurement(
            "three nodes against one",
            {
                "of its msg/s": round(three / one, 2),
                "ms at one": here,
                "ms between two": there,
                # With PostgreSQL's and NATS's: what decides it where processors are what is short.
                **{f"us CPU in all, {count}": round(median(each) * 1e6, 1) for count, each in spent.items()},
            },
            f"at least {AIM:g}; under {LONGER:g} ms more",
            three >= AIM * one and there - here < LONGER,
        )
    )


def _cpu(server: postgres.Server, wakes: nats.NatsServer) -> float:
    """Seconds of processor time that the two servers have spent, as far as their processes live."""
    assert server.process is not None
    assert wakes.process is not None
    first = psutil.Process(server.process.pid)
    times = [each.cpu_times() for each in (first, *first.children(recursive=True), psutil.Process(wakes.process.pid))]
    return sum(each.user + each.system for each in times)


def _middle(loads: list[Load]) -> Load:
    return sorted(loads, key=lambda load: load.result.rate)[len(loads) // 2]


@asynccontextmanager
async def _nodes(world: World, database: str, wakes: str, names: tuple[str, ...]) -> AsyncIterator[list[Node]]:
    folder = world.folder / f"identity{len(names)}"
    await asyncio.to_thread(_identity, folder)
    async with AsyncExitStack() as stack:
        nodes = []
        for name in names:
            more = [f"--database={database}"]
            if len(names) > 1:  # one is no cluster
                more += [f"--node={name}", f"--nats={wakes}", f"--identity={folder}"]
            nodes.append(await stack.enter_async_context(world.relay(more=more)))
        yield nodes


def _identity(folder: Path) -> None:
    identity.create(folder, SystemClock())
