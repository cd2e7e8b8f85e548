"""What lawful access costs: making a package, and real-time orders beside the message path."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.job import Server
from benchmarks.processes import Failed, Program, start
from benchmarks.report import Measurement, Report
from benchmarks.world import Load, World

ORDERS: Final = 200
RECORDS: Final = 1_000_000
SECONDS_AIM: Final = 10.0
COST_AIM: Final = 0.05
# Of those who are watched, all together: each of the 200 writes or gets two messages a second.
WATCHED_RATE: Final = 200.0


async def packages(world: World, report: Report) -> None:
    """A package of a million TrafficRecords, from a database with as many of others' in it; and opening it."""
    number = min(RECORDS, world.scale.records)
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "benchmarks.packaging", str(world.folder / "packages"), str(number)]
    process = await start(command, stdout=pipe)
    out, _ = await process.communicate()
    if process.returncode:
        raise Failed(f"benchmarks.packaging ended with exit code {process.returncode}")
    took = json.loads(out)
    report.add(
        Measurement(
            f"a package of {number:,} TrafficRecords",
            {
                "s to write": round(took["write"], 2),
                "MB": round(took["size"] / 1e6, 1),
                "MB of memory more": round(took["write_memory"] / 1e6, 1),
                "s to verify": round(took["verify"], 2),
                "s to read": round(took["read"], 2),
                "MB of memory more ": round(took["open_memory"] / 1e6, 1),
            },
            f"< {SECONDS_AIM:.0f} s",
            took["write"] < SECONDS_AIM,
            {"missing": number - took["records"]},
        )
    )


async def streams(world: World, report: Report) -> None:
    """What 200 real-time orders cost a relay under full load, in turns with one that has none.

    First those who are watched live beside the load, and write as fast as people do. Then the load itself is watched: every
    message is to be told twice, and what has not been told within seconds of the load's end is told later.
    """
    beside, within = world.scale.pairs, 0
    for first, name in ((beside, "two messages a second each"), (within, "every message of the load")):
        await _compare(world, report, first, name)


async def _compare(world: World, report: Report, first: int, name: str) -> None:
    loads: dict[int, list[Load]] = {0: [], ORDERS: []}
    watched = 0
    async with AsyncExitStack() as stack:
        relays = {
            orders: await stack.enter_async_context(world.relay(watched=(first, ORDERS // 2) if orders else None))
            for orders in loads
        }
        for number in range(world.scale.rounds):
            # Whoever comes second has a machine that is warmer, or busier with others: they take turns.
            for orders in (0, ORDERS) if number % 2 else (ORDERS, 0):
                load, delivered = await _load(world, relays[orders], first)
                loads[orders].append(load)
                watched += delivered if orders else 0
    came = json.loads(await asyncio.to_thread(Path(relays[ORDERS][0].facts["told"]).read_text))
    without, with_orders = loads.values()
    rates = [one.result.rate / other.result.rate for other, one in zip(without, with_orders, strict=True)]
    spent = [median(load.server_cpu / load.result.delivered for load in of) for of in loads.values()]
    is_beside = first > 0
    report.add(
        Measurement(
            f"{ORDERS} real-time orders: {name}",
            {
                "msg/s without": round(median(load.result.rate for load in without)),
                "with": round(median(load.result.rate for load in with_orders)),
                "% change in turns": round(100 * (median(rates) - 1), 1),
                "us CPU without": round(spent[0] * 1e6, 1),
                "us CPU with": round(spent[1] * 1e6, 1),
                "% of records told": round(100 * came["records"] / (2 * watched), 1),
                "s late at most": round(came["latest"], 1),
            },
            f"within {COST_AIM:.0%}" if is_beside else "",
            median(rates) >= 1 - COST_AIM if is_beside else None,
            {"not told": abs(2 * watched - came["records"])} if is_beside else {},
        )
    )


async def _load(world: World, relay: tuple[Program, Server], first: int) -> tuple[Load, int]:
    """The load, and how many messages were watched meanwhile, if the relay has orders."""
    if not first:
        load = await world.load(*relay)
        return load, load.result.delivered
    pairs = world.more_pairs(first, ORDERS // 2)
    load, watched = await asyncio.gather(world.load(*relay), world.load(*relay, rate=WATCHED_RATE, pairs=pairs))
    return load, watched.result.delivered
