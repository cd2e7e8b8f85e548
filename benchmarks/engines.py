"""What it costs that the store is PostgreSQL: one node on either engine, in turns; and whether a long history slows it down.

PostgreSQL is started for it, with what its defaults promise (`fsync` and all), on the same machine.
"""

from contextlib import AsyncExitStack
from statistics import median
from typing import Final

from benchmarks.report import Measurement, Report, of_load
from benchmarks.world import Load, World
from blindrelay.proofs.engines import postgres

#: What part of SQLite's throughput one node on PostgreSQL is to have.
AIM: Final = 0.5


async def engines(world: World, report: Report) -> None:
    """SQLite and PostgreSQL, in turns, so that a busy machine hits both."""
    if not _installed(report):
        return
    loads: dict[str, list[Load]] = {"SQLite": [], "PostgreSQL": []}
    async with AsyncExitStack() as stack:
        server = stack.enter_context(postgres.server())
        relays = {
            "SQLite": await stack.enter_async_context(world.relay()),
            "PostgreSQL": await stack.enter_async_context(world.relay(more=[f"--database={server.new_database()}"])),
        }
        spent = []
        for _ in range(world.scale.rounds):
            for name, (program, address) in relays.items():
                before = server.cpu()
                loads[name].append(await world.load(program, address))
                if name == "PostgreSQL":
                    spent.append((server.cpu() - before) / loads[name][-1].result.delivered)
    for name, found in loads.items():
        report.add(
            of_load(
                f"one node on {name}, mutual TLS",
                sorted(found, key=lambda load: load.result.rate)[world.scale.rounds // 2],
            )
        )
    share = median(there.result.rate / here.result.rate for here, there in zip(*loads.values(), strict=True))
    report.add(
        Measurement(
            "PostgreSQL against SQLite",
            {"of its msg/s": round(share, 2), "us CPU of the database a message": round(median(spent) * 1e6, 1)},
            f"at least {AIM:g}",
            share >= AIM,
        )
    )


async def long_history(world: World, report: Report) -> None:
    """Whether a node over a database with many TrafficRecords is as fast as over an empty one."""
    if not _installed(report):
        return
    loads: dict[int, list[Load]] = {0: [], world.scale.records: []}
    spent: dict[int, list[float]] = {0: [], world.scale.records: []}
    async with AsyncExitStack() as stack:
        # A server for each: what one database's background work costs is not to be counted as the other's.
        servers = {records: stack.enter_context(postgres.server()) for records in loads}
        relays = {
            records: await stack.enter_async_context(
                world.relay(records=records, more=[f"--database={servers[records].new_database()}"])
            )
            for records in loads
        }
        for _ in range(world.scale.rounds):
            for records, (program, address) in relays.items():
                before = servers[records].cpu()
                load = await world.load(program, address)
                loads[records].append(load)
                spent[records].append((servers[records].cpu() - before) / load.result.delivered)
    empty, full = (median(load.result.rate for load in of) for of in loads.values())
    database = [median(of) for of in spent.values()]
    relay = [median(load.server_cpu / load.result.delivered for load in of) for of in loads.values()]
    report.add(
        Measurement(
            f"PostgreSQL after {world.scale.records:,} TrafficRecords",
            {
                "msg/s empty": round(empty),
                "full": round(full),
                "% change": round(100 * (full / empty - 1), 1),
                "us CPU empty": round(sum((relay[0], database[0])) * 1e6, 1),
                "us CPU full": round(sum((relay[1], database[1])) * 1e6, 1),
            },
            "within 10 %",
            full >= 0.9 * empty,
        )
    )


def _installed(report: Report) -> bool:
    if postgres.programs() is None:
        report.console.print("PostgreSQL is not installed: left out")
        return False
    return True
