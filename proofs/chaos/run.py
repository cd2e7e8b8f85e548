"""One seed: a relay, devices, a network between them, and somebody who breaks things. The oracle has the last word."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from blindrelay.proofs.chaos import nemesis
from blindrelay.proofs.chaos.device import Mood
from blindrelay.proofs.chaos.evidence import examine_store
from blindrelay.proofs.chaos.history import Disturbance, History, Level, StoreView
from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.proofs.chaos.nemesis import Fault, Strike
from blindrelay.proofs.chaos.oracle import Finding, Invariant, examine
from blindrelay.proofs.chaos.people import addresses, enrol, register
from blindrelay.proofs.chaos.proxy import Flow, Proxy
from blindrelay.proofs.chaos.workload import Place, Workload
from blindrelay.proofs.chaos.world import RelayLeft, World
from blindrelay.protocol.clock import SystemClock

# All devices have connected by then, on a machine that does other things as well. Seconds.
CONNECT_PATIENCE = 30.0
# After healing: restart, reconnection with back-off, and delivery of what waited.
QUIET_PATIENCE = 20.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is. `rate` is messages per second and device; a schedule of None is drawn from the seed.

    `patience` is for how many seconds of the quiet period nothing may come, before it is given up.
    """

    seed: int
    seconds: float = 20.0
    devices: int = 16
    rate: float = 6.0
    saboteur: str = ""
    schedule: tuple[Strike, ...] | None = None
    patience: float = QUIET_PATIENCE
    mood: Mood | None = None  # of every device; None: as they like

    @property
    def strikes(self) -> tuple[Strike, ...]:
        """The schedule."""
        return nemesis.draw(self.seed, self.seconds) if self.schedule is None else self.schedule


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    plan: Plan
    findings: list[Finding]
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)

    def summary(self) -> str:
        """One line for people."""
        count = self.counts
        return (
            f"seed {self.plan.seed}: {count['messages']} messages, {count['acked']} acknowledged, {count['unknown']} unknown, "
            f"{count['refused']} refused, {count['handed']} handed over, {count['repeated']} sent again; "
            f"{count['connections']} connections, {sum(self.faults.values())} faults "
            f"({self.faults[Fault.KILL]} kills, {self.faults[Fault.TERMINATE]} SIGTERM): "
            + ("good" if not self.findings else f"{len(self.findings)} FINDINGS")
        )


def count(entries: Sequence[Entry]) -> Counter[str]:
    """How much happened."""
    counts = Counter(entry.kind.value for entry in entries)
    wires = Counter(entry.message_id for entry in entries if entry.kind is Kind.WIRE)
    counts["messages"] = len({entry.message_id for entry in entries if entry.kind is Kind.INTENT})
    counts["repeated"] = sum(wires.values()) - len(wires)
    counts["connections"] = counts[Kind.CONNECTED.value]
    return counts


class Run:
    """A plan being carried out in a folder, which holds journals, schedule, log and data folder afterwards."""

    def __init__(self, plan: Plan, folder: Path, progress: Callable[[str], None] = lambda _: None) -> None:
        self.plan = plan
        self.folder = folder
        self._progress = progress
        self._clock = SystemClock()
        self._disturbances: list[Disturbance] = []
        self._faults: Counter[Fault] = Counter()
        self._findings: list[Finding] = []
        # The relay's process has one fault at a time, even where a start takes longer than the schedule thought.
        self._process = asyncio.Lock()
        self._world: World
        self._proxy: Proxy
        self._workload: Workload

    async def carry_out(self) -> Report:
        """Do it, and judge it. Raises RelayLeft when the relay does not even start."""
        nemesis.save(self.plan.strikes, self.folder / "schedule.jsonl")
        async with AsyncExitStack() as stack:
            self._world = await stack.enter_async_context(World(self.folder, saboteur=self.plan.saboteur))
            self._proxy = await stack.enter_async_context(Proxy(self._world.port))
            data = self._world.data
            people = enrol(addresses(self.plan.devices), data / "relay.crt", self.folder)
            await register(people, self._world.port, (data / "registration-code").read_text(encoding="ascii").strip())
            self._workload = await stack.enter_async_context(
                Workload(
                    people,
                    [Place(self._proxy.port)],
                    self.folder,
                    self._clock,
                    seed=self.plan.seed,
                    mood=self.plan.mood,
                )
            )
            await self._workload.connect(CONNECT_PATIENCE)
            produced_until = await self._trouble()
            await self._heal()
            before = self._world.idle
            store, after = await self._end()
        end = self._clock.monotonic()
        entries = self._workload.entries()
        history = History(
            entries,
            (*self._disturbances, *self._workload.deafness()),
            store,
            produced_until,
            end,
            before,
            after,
        )
        return Report(self.plan, self._findings + examine(history), count(entries), self._faults)

    async def _trouble(self) -> float:
        """Load and faults together; returns when the last message was produced."""
        start = self._clock.monotonic()
        self._workload.produce(self.plan.rate)
        async with asyncio.TaskGroup() as group:
            for strike in self.plan.strikes:
                group.create_task(self._strike(start, strike))
            group.create_task(asyncio.sleep(self.plan.seconds))
        await self._workload.stop_producing()
        return self._clock.monotonic()

    async def _strike(self, start: float, strike: Strike) -> None:
        await asyncio.sleep(max(0.0, start + strike.at - self._clock.monotonic()))
        async with self._process if strike.fault in nemesis.PROCESS_FAULTS else nullcontext():
            await self._do(strike)

    async def _do(self, strike: Strike) -> None:
        self._progress(
            f"{strike.at:6.1f} s  {strike.fault.value}" + (f", {strike.length:.1f} s" if strike.length else "")
        )
        began = self._clock.monotonic()
        self._faults[strike.fault] += 1
        await self._commit(strike)
        self._disturbances.append(
            Disturbance(
                strike.fault.value,
                began,
                self._clock.monotonic(),
                severs=strike.fault in nemesis.SEVERING,
                delays=strike.fault in nemesis.DELAYING,
            )
        )

    async def _commit(self, strike: Strike) -> None:
        match strike.fault:
            case Fault.KILL:
                await self._world.kill()
                await self._restart(strike.length)
            case Fault.TERMINATE:
                await self._terminate()
                await self._restart(strike.length)
            case Fault.FREEZE:
                self._world.signal(signal.SIGSTOP)
                await asyncio.sleep(strike.length)
                self._world.signal(signal.SIGCONT)
            case Fault.CLOCK_FORWARD | Fault.CLOCK_BACK:
                self._world.step_clock(30 * DAY if strike.fault is Fault.CLOCK_FORWARD else -10 * DAY)
                await asyncio.sleep(strike.length)
                self._world.step_clock(0)
            case Fault.RESET:
                self._proxy.reset()
            case Fault.CUT:
                self._proxy.cut_after(700)  # within the next message
                await asyncio.sleep(0.3)
            case Fault.HALF_OPEN | Fault.ANSWERS_HELD | Fault.SLOW:
                await self._proxy.let(_FLOWS[strike.fault])
                await asyncio.sleep(strike.length)
                await self._proxy.let(Flow.OPEN)
            case Fault.STORM:
                self._workload.hurry()

    async def _restart(self, after: float) -> None:
        await asyncio.sleep(after)
        await self._world.start()
        self._proxy.target_port = self._world.port

    async def _terminate(self) -> None:
        try:
            status = await self._world.terminate()
        except TimeoutError:
            status = None
        if status != 0:
            self._findings.append(Finding(Invariant.I10, f"SIGTERM: the relay left with {status}, expected 0 in time"))

    async def _heal(self) -> None:
        """Everybody behaves, and what is open is brought to an end."""
        self._workload.calm_down()
        if not await self._workload.quiet(self.plan.patience):
            self._progress("not quiet in time: the oracle will say why")

    async def _end(self) -> tuple[StoreView, Level]:
        """Part from the relay; what it takes with nobody connected, and what its store holds."""
        if not self._world.runs:
            raise RelayLeft(f"the relay left by itself:\n{self._world.log_end()}")
        await self._workload.close()
        await asyncio.sleep(0.5)  # it is still recording the ends of our connections
        after = self._world.level()
        await self._terminate()
        if errors := self._world.errors():
            self._findings.append(
                Finding(Invariant.I10, f"the relay went on after {len(errors)} errors of its own: {errors[0]}")
            )
        return examine_store(self._world.database), after


_FLOWS = {Fault.HALF_OPEN: Flow.HELD, Fault.ANSWERS_HELD: Flow.ANSWERS_HELD, Fault.SLOW: Flow.SLOW}
