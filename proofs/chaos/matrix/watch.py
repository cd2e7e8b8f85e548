"""The workload and the oracle against a deployment that there is: somebody else breaks it, and hears what was lost.

Nobody may look into its store, and nobody says what is done to it and when. So what the oracle says here is about what
clients saw: what was acknowledged arrives once, unaltered, in order, at whom it was sent to.
"""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from blindrelay.clients.relay_address import RelayAddress
from blindrelay.proofs.chaos.history import Disturbance, History
from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.proofs.chaos.matrix.timeline import Timeline
from blindrelay.proofs.chaos.oracle import Finding, Invariant, examine
from blindrelay.proofs.chaos.people import People, addresses, enrol, register
from blindrelay.proofs.chaos.run import count
from blindrelay.proofs.chaos.wire import NotAdmitted
from blindrelay.proofs.chaos.workload import Place, Workload
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.errors import BlindrelayError

_CONNECT_PATIENCE: Final = 60.0
# So long without any PUBACK is worth a line. Seconds.
_SILENCE: Final = 2.0
_SHOW: Final = 0.5


class NobodyAnswers(BlindrelayError):
    """None of the addresses has a relay that lets our people in."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A time without any PUBACK, though much was sent. Seconds, the first from the start."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen.

    Attributes:
        findings: what did not hold.
        silences: when nobody was served.
        commands: when the fault command was carried out (seconds from the start), and its exit status.
    """

    findings: tuple[Finding, ...]
    counts: Counter[str]
    silences: tuple[Silence, ...]
    commands: tuple[tuple[float, int], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.findings

    def broken(self, invariant: Invariant) -> int:
        """How often it did not hold."""
        return sum(finding.invariant is invariant for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "passed": self.passed,
            "messages": self.counts["messages"],
            "acknowledged": self.counts["acked"],
            "refused": self.counts["refused"],
            "lost": self.broken(Invariant.I1),
            "applied_twice": self.broken(Invariant.I2),
            "out_of_order": self.broken(Invariant.I4),
            "silences": [{"at": each.at, "seconds": each.seconds} for each in self.silences],
            "commands": [{"at": at, "status": status} for at, status in self.commands],
            "findings": [str(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do, for how long.

    Attributes:
        seconds: of load; None: until `stop`.
        command: a shell command that breaks something; empty: somebody else does.
        every: how long it is from one to the next, on average. Seconds.
    """

    seconds: float | None = 60.0
    devices: int = 10
    rate: float = 4.0
    seed: int = 1
    command: str = ""
    every: float = 15.0


@dataclass
class Watch:
    """One watch over `relays`, written down in `folder`, which must exist.

    `stop` ends the load early; `patience` is how long what was accepted may take to arrive once nothing is broken any more
    (seconds): a deployment restarts in its own time.
    """

    relays: Sequence[RelayAddress]
    code: str
    folder: Path
    orders: Orders
    say: Callable[[str], None] = lambda _: None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    patience: float = 60.0
    _commands: list[tuple[float, int]] = field(default_factory=list)

    async def carry_out(self) -> Watched:
        """Do it, and judge it. Raises `NobodyAnswers`, `TimeoutError`: not all could connect."""
        clock, orders = SystemClock(), self.orders
        certificate = self.folder / "relay.crt"
        certificate.write_bytes(b"\n".join(dict.fromkeys(relay.ca for relay in self.relays)))
        # A name belongs to whoever registered it first: each watch brings a new one.
        tenant = f"chaos-{secrets.token_hex(4)}.example"
        people = enrol(addresses(orders.devices, tenant), certificate, self.folder, tenant)
        await self._introduce(people)
        places = [Place(relay.port, relay.host, relay.host) for relay in self.relays]
        with Timeline(self.folder, clock) as timeline:
            timeline.write("watch", tenant=tenant, seed=orders.seed, relays=len(places), command=orders.command)
            start = clock.monotonic()
            async with Workload(people, places, self.folder, clock, seed=orders.seed) as workload:
                await workload.connect(_CONNECT_PATIENCE)
                workload.produce(orders.rate)
                await self._load(workload, timeline, start)
                await workload.stop_producing()
                produced_until = clock.monotonic()
                self.say("what is in flight is brought to an end")
                workload.calm_down()
                timeline.write("quiet", in_time=await workload.quiet(self.patience))
                await workload.close()
                entries = workload.entries()
            # Whatever happened to connections in this time had a cause: somebody was breaking things.
            unknown = Disturbance("whatever was done", start, clock.monotonic(), severs=True, delays=True)
            history = History(entries, (unknown,), None, produced_until, clock.monotonic())
        return Watched(tuple(examine(history)), count(entries), tuple(silences(entries, start)), tuple(self._commands))

    async def _introduce(self, people: People) -> None:
        why = "there is no address"
        for relay in self.relays:
            try:
                await register(people, relay.port, self.code, relay.host)
            except (OSError, TimeoutError, NotAdmitted) as error:
                why = f"{relay.host}:{relay.port}: {str(error) or type(error).__name__}"
            else:
                return
        raise NobodyAnswers(f"the test tenant could not be registered with any of the relays; the last said: {why}")

    async def _load(self, workload: Workload, timeline: Timeline, start: float) -> None:
        tasks = [asyncio.create_task(self._show(workload, start))]
        if self.orders.command:
            tasks.append(asyncio.create_task(self._break(timeline, start)))
        try:
            async with asyncio.timeout(self.orders.seconds):
                await self.stop.wait()
        except TimeoutError:
            pass  # it is over
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _show(self, workload: Workload, start: float) -> None:
        while True:
            connected = sum(device.is_connected for device in workload.devices.values())
            counts = Counter(entry.kind for entry in workload.entries_since(start))
            self.say(
                f"{connected} of {len(workload.devices)} devices connected, {counts[Kind.ACKED]:,} messages acknowledged, "
                f"{counts[Kind.HANDED]:,} delivered"
            )
            await asyncio.sleep(_SHOW)

    async def _break(self, timeline: Timeline, start: float) -> None:
        chance = random.Random(f"watch {self.orders.seed}")  # noqa: S311
        clock = SystemClock()
        while True:
            await asyncio.sleep(self.orders.every * chance.uniform(0.5, 1.5))
            at = round(clock.monotonic() - start, 1)
            process = await asyncio.create_subprocess_shell(self.orders.command, stdin=asyncio.subprocess.DEVNULL)
            status = await process.wait()
            self._commands.append((at, status))
            timeline.write("command", status=status)


def silences(entries: Iterable[Entry], start: float) -> list[Silence]:
    """When nobody was served for longer than it takes to notice; `start` is that of the watch (monotonic seconds)."""
    moments = [start, *(entry.at for entry in entries if entry.kind is Kind.ACKED)]
    return [
        Silence(round(before - start, 1), round(after - before, 1))
        for before, after in pairwise(moments)
        if after - before > _SILENCE
    ]
