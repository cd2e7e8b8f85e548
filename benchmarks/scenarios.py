"""What is measured. Each scenario starts what it needs, measures, and adds to the report."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Final

from benchmarks import deciding, engines, lawful, logs, mosquitto, nodes, sealing, showing
from benchmarks.job import IdleJob, IdleResult
from benchmarks.processes import Failed, start, stop
from benchmarks.report import Measurement, Report, of_load
from benchmarks.world import Load, World

DURABLE: Final = "mutual TLS, SQLite"
AIM, FLOOR = 20_000, 12_000
# A client process holds at most this many connections: a process may open 20,000 files.
PER_PROCESS: Final = 2_500
MEMORY_AIM: Final = 500_000_000

Scenario = Callable[[World, Report], Awaitable[None]]


async def throughput(world: World, report: Report) -> None:
    """How many messages a second, with each cost taken away in turn; and Mosquitto, where it is installed."""
    for name, tls, store in (
        (DURABLE, True, True),
        ("SQLite, no TLS", False, True),
        ("mutual TLS, no store", True, False),
        ("no store, no TLS", False, False),
    ):
        async with world.relay(tls=tls, store=store) as (program, server):
            load = await world.load(program, server)
        aim = f"{AIM:,}/s, never under {FLOOR:,}" if name == DURABLE else ""
        report.add(of_load(name, load, aim=aim, met=load.result.rate >= AIM if aim else None))
    if mosquitto.installed() is None:
        report.console.print("Mosquitto is not installed: left out")
        return
    for name, tls in (("Mosquitto in memory, mutual TLS", True), ("Mosquitto in memory, no TLS", False)):
        async with world.mosquitto(tls=tls) as (program, server):
            report.add(of_load(name, await world.load(program, server, one_topic=True)))


async def latency(world: World, report: Report) -> None:
    """How long a message takes at half of what was measured just before, and at 500 a second."""
    async with world.relay() as (program, server):
        full = (await world.load(program, server)).result
        for name, rate, aim in (("half of the load", full.rate / 2, 50), ("500 msg/s", 500.0, 10)):
            load = await world.load(program, server, rate=rate)
            worst = max(load.result.to_puback.p99, load.result.to_recipient.p99)
            report.add(of_load(f"{DURABLE}, {name}", load, aim=f"p99 < {aim} ms", met=worst < aim))


async def history(world: World, report: Report) -> None:
    """Whether a relay with many TrafficRecords is as fast as an empty one; in turns, so that a busy machine hits both."""
    loads: dict[int, list[Load]] = {0: [], world.scale.records: []}
    async with AsyncExitStack() as stack:
        relays = {records: await stack.enter_async_context(world.relay(records=records)) for records in loads}
        for _ in range(world.scale.rounds):
            for records, (program, server) in relays.items():
                loads[records].append(await world.load(program, server))
    empty, full = (median(load.result.rate for load in of) for of in loads.values())
    spent = [median(load.server_cpu / load.result.delivered for load in of) for of in loads.values()]
    report.add(
        Measurement(
            f"after {world.scale.records:,} TrafficRecords",
            {
                "msg/s empty": round(empty),
                "full": round(full),
                "% change": round(100 * (full / empty - 1), 1),
                "us CPU empty": round(spent[0] * 1e6, 1),
                "us CPU full": round(spent[1] * 1e6, 1),
            },
            "within 10 %",
            full >= 0.9 * empty,
        )
    )


async def idle(world: World, report: Report) -> None:
    """What the relay's memory grows by for connections that do nothing, each with a certificate of its own."""
    count = world.scale.idle
    identities = await asyncio.to_thread(lambda: [world.sending.device(f"idle{number}") for number in range(count)])
    async with world.relay(connections=count + 100) as (program, server), AsyncExitStack() as stack:
        before = program.memory()
        seconds = 0.0
        for first in range(0, count, PER_PROCESS):
            job = IdleJob(server=server, identities=identities[first : first + PER_PROCESS])
            seconds += (await stack.enter_async_context(_holding(job))).seconds
        await asyncio.sleep(1)
        grown = program.memory() - before
        report.add(
            Measurement(
                f"{count:,} idle mutual TLS connections",
                {
                    "MB resident": round(program.memory() / 1e6, 1),
                    "kB each": round(grown / count / 1e3, 1),
                    "connections/s while connecting": round(count / seconds),
                },
                "under 500 MB",
                program.memory() < MEMORY_AIM * max(count, 10_000) / 10_000,
            )
        )


@asynccontextmanager
async def _holding(job: IdleJob) -> AsyncIterator[IdleResult]:
    pipe = asyncio.subprocess.PIPE
    process = await start([sys.executable, "-m", "benchmarks.idle"], stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(job.model_dump_json().encode() + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise Failed("the process that holds idle connections ended before they were open")
        yield IdleResult.model_validate_json(line)
        process.stdin.close()
        if await process.wait():
            raise Failed("idle connections were lost")
    finally:
        await stop(process)


async def encryption(world: World, report: Report) -> None:
    """What a client spends on one message of 1 KB, and on the first to somebody new."""
    took = await asyncio.to_thread(sealing.message, 1_024)
    aim = "seal + open < 1 ms"
    report.add(Measurement("encryption of 1 KB", took.milliseconds(), aim, took.seal + took.open < 0.001))
    async with world.relay() as (program, server):
        relay = await asyncio.to_thread(sealing.relay_address, server, program.facts["code"])
        first, next_ = await sealing.contact(world.scale.contacts, relay)
        report.add(
            Measurement(
                "first contact with a new device",
                {"ms to PUBACK": round(first * 1e3, 2), "ms to PUBACK of the next message": round(next_ * 1e3, 2)},
                "< 20 ms",
                first < 0.020,
            )
        )


SCENARIOS: Final[dict[str, Scenario]] = {
    "throughput": throughput,
    "latency": latency,
    "history": history,
    "idle": idle,
    "encryption": encryption,
    "decisions": deciding.decisions,
    "packages": lawful.packages,
    "streams": lawful.streams,
    "logs": logs.logs,
    "postgresql": engines.engines,
    "postgresql-history": engines.long_history,
    "cluster": nodes.cluster,
    "console": showing.console,
}
