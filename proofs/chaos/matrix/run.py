"""One run of the matrix: a deployment, load, one kind of fault at random points, and the oracle."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from blindrelay.proofs.chaos.evidence import examine_store
from blindrelay.proofs.chaos.history import Disturbance, History, StoreView
from blindrelay.proofs.chaos.matrix.crowd import Crowd
from blindrelay.proofs.chaos.matrix.database import small_disk
from blindrelay.proofs.chaos.matrix.plan import Blow, Plan, Verdict
from blindrelay.proofs.chaos.matrix.service import (
    BACK_WITHIN,
    STARVED,
    Recovery,
    Sample,
    peaks,
    recovery,
    too_late,
    unbounded,
)
from blindrelay.proofs.chaos.matrix.site import Shape, Site
from blindrelay.proofs.chaos.matrix.stage import Stage
from blindrelay.proofs.chaos.matrix.timeline import Timeline
from blindrelay.proofs.chaos.matrix.visitors import Visit
from blindrelay.proofs.chaos.oracle import Finding, Invariant, examine
from blindrelay.proofs.chaos.people import addresses, enrol, register
from blindrelay.proofs.chaos.run import count
from blindrelay.proofs.chaos.workload import Place, Workload
from blindrelay.proofs.engines import postgres
from blindrelay.protocol.clock import SystemClock

CONNECT_PATIENCE: Final = 60.0
# How much longer than it may take somebody is waited for, so that it is known by how much it was too late.
_LENIENCE: Final = 5.0
_SAMPLE: Final = 0.2
_POLL: Final = 0.05

# What a relay logs that stops before its disk has answered.
_TOO_LATE: Final = "the store does not answer, and the relay leaves"

Say = Callable[[str], None]


@dataclass
class _Seen:
    """What a run notes besides the journals."""

    disturbances: list[Disturbance] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class MatrixRun:
    """A plan being carried out in a folder, which holds journals, timeline, logs and data afterwards.

    Args:
        plan: what to do.
        folder: must exist.
        database: a template, for PostgreSQL.
        say: told what is being done.
    """

    def __init__(self, plan: Plan, folder: Path, database: postgres.Server | None, say: Say = lambda _: None) -> None:
        self._plan = plan
        self._folder = folder
        self._database = database
        self._say = say
        self._clock = SystemClock()
        self._seen = _Seen()
        self._stage: Stage
        self._timeline: Timeline
        self._idle: dict[str, int] = {}
        self._waited = 0.0

    async def carry_out(self) -> Verdict:
        """Do it, and judge it. Raises `NotPossibleHere`; `RelayLeft`: a node does not even start."""
        plan = self._plan
        async with AsyncExitStack() as stack:
            self._timeline = stack.enter_context(Timeline(self._folder, self._clock))
            self._timeline.write(
                "plan",
                fault=plan.fault.name,
                seed=plan.seed,
                engine=plan.engine,
                nodes=plan.nodes,
                seconds=plan.seconds,
                blows=[{"at": blow.at, "length": blow.length} for blow in plan.blows],
            )
            self._stage = await stack.enter_async_context(self._set_up())
            await stack.enter_async_context(self._sampled())
            produced_until = await self._trouble()
            await self._calm()
            store = await self._end()
        return self._judge(produced_until, store)

    # How it is set up.

    @contextlib.asynccontextmanager
    async def _set_up(self) -> AsyncIterator[Stage]:
        plan, folder = self._plan, self._folder
        self._say("the deployment is started")
        async with AsyncExitStack() as stack:
            is_small = plan.fault.small_disk and self._database is not None
            disk = stack.enter_context(small_disk()) if is_small else None
            shape = Shape(plan.nodes, self._database, disk, plan.saboteur, lines=not plan.fault.crowd)
            site = await stack.enter_async_context(Site(folder, shape))
            self._idle = {node.log.parent.name: node.idle.resident for node in site.nodes if node.idle is not None}
            crowd = await self._enter_crowd(stack, site)
            people = enrol(addresses(plan.devices), site.identity / "relay.crt", folder)
            await register(people, site.nodes[0].port, site.registration_code)
            workload = await stack.enter_async_context(
                Workload(
                    people,
                    [Place(port) for port in site.ports],
                    folder,
                    self._clock,
                    seed=plan.seed,
                    mood=plan.mood or plan.fault.mood,
                )
            )
            stage = Stage(site, workload, crowd, plan.frozen, self._note)
            if plan.fault.whole_run:
                await self._strike(stage, plan.blows[0])
            await workload.connect(CONNECT_PATIENCE)
            yield stage

    async def _enter_crowd(self, stack: AsyncExitStack, site: Site) -> Crowd | None:
        plan = self._plan
        if not plan.fault.crowd:
            return None
        self._say(f"{plan.crowd} clients connect")
        keys = self._folder / "crowd"
        keys.mkdir()
        visit = Visit(
            count=plan.crowd,
            ports=[node.port for node in site.nodes],  # not through the doors: a proxy would be what is slow
            certificate=site.identity / "relay.crt",
            registration_code=site.registration_code,
            folder=keys,
            seed=plan.chance("crowd").getrandbits(32),
        )
        return await stack.enter_async_context(Crowd(visit))

    @contextlib.asynccontextmanager
    async def _sampled(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _sample(self) -> None:
        while True:
            for node in self._stage.site.nodes:
                with contextlib.suppress(Exception):  # it ends in this very moment
                    if node.runs:
                        name, resident = node.log.parent.name, node.level().resident
                        self._seen.samples.append(Sample(self._clock.monotonic(), name, resident))
            latest = {sample.node: sample.resident >> 20 for sample in self._seen.samples[-self._plan.nodes :]}
            self._timeline.write("memory", mib=latest)
            await asyncio.sleep(_SAMPLE)

    # Load and faults.

    async def _trouble(self) -> float:
        """Load and faults together; returns when the last message was produced."""
        plan, stage = self._plan, self._stage
        start = self._clock.monotonic()
        stage.workload.produce(plan.rate)
        self._say("load")
        for blow in plan.blows:
            await asyncio.sleep(max(0.0, start + blow.at - self._clock.monotonic()))
            ended = self._clock.monotonic() if plan.fault.whole_run else await self._struck(blow)
            stage.workload.probe()
            await self._served(ended)
        await asyncio.sleep(max(0.0, start + plan.seconds - self._clock.monotonic()))
        await stage.workload.stop_producing()
        return self._clock.monotonic()

    async def _struck(self, blow: Blow) -> float:
        """Strike, and heal. When the fault was over: when there was nothing to wait for any more but relays."""
        try:
            await self._strike(self._stage, blow)
        finally:
            self._timeline.write("healing")
            await self._stage.site.heal()
            ended = self._clock.monotonic()
            self._timeline.write("over")
            self._stage.workload.probe()
            await self._stage.site.restart_all()
        self._timeline.write("healed")
        over = self._clock.monotonic() + self._plan.fault.lingers
        self._seen.disturbances[-1] = replace(self._seen.disturbances[-1], end=over)
        return ended

    async def _strike(self, stage: Stage, blow: Blow) -> None:
        fault, number = self._plan.fault, len(self._seen.disturbances)
        began = self._clock.monotonic()
        try:
            if fault.strike is not None:
                await fault.strike(stage, self._plan.chance(f"strike {number}"), blow.length)
        finally:
            self._seen.disturbances.append(
                Disturbance(fault.name, began, self._clock.monotonic(), severs=fault.severs, delays=fault.delays)
            )

    def _note(self, what: str) -> None:
        self._seen.notes.append(what)
        self._timeline.write("strike", what=what)
        self._say(what)

    async def _served(self, since: float) -> None:
        """Wait until everybody has been served since then, and a crowd is there, or it is too late for that."""
        workload, crowd, name = self._stage.workload, self._stage.crowd, self._plan.fault.name
        there = None if crowd is not None else 0.0
        devices = [str(address) for address in workload.devices]
        deadline = since + min(BACK_WITHIN + _LENIENCE, self._plan.patience)
        while True:
            if crowd is not None and there is None and crowd.present == len(crowd):
                there = self._clock.monotonic() - since
            found = replace(recovery(name, workload.entries_since(since), since, devices), crowd=there)
            if found.is_whole or self._clock.monotonic() > deadline:
                break
            await asyncio.sleep(_POLL)
        self._seen.recoveries.append(found)
        self._timeline.write("served", acknowledged=found.acknowledged, delivered=found.delivered, crowd=found.crowd)

    # The end.

    async def _calm(self) -> None:
        """Everybody behaves, and what is open is brought to an end."""
        self._say("what is in flight is brought to an end")
        self._stage.workload.calm_down()
        quiet = await self._stage.workload.quiet(self._plan.patience)
        self._timeline.write("quiet", in_time=quiet)

    async def _end(self) -> StoreView:
        """Part from the relays, and look into the store."""
        site = self._stage.site
        self._waited = site.waited
        crowd = self._stage.crowd
        if crowd is not None and crowd.present < len(crowd):
            self._late(f"{crowd.present} of the crowd of {len(crowd)} are there")
        await self._stage.workload.close()
        statuses = await site.terminate()
        for node, status in zip(site.nodes, statuses, strict=True):
            name = node.log.parent.name
            if status is None:
                self._late(f"SIGTERM: {name} did not leave in time")
            elif status:
                self._found(f"SIGTERM: {name} left with {status}, expected 0\n{node.log_end()}")
            if errors := [line for line in node.errors() if self._waited < STARVED or _TOO_LATE not in line]:
                self._found(f"{name} went on after an error of its own: " + "\n".join(errors[:5]))
        for line in site.left:
            self._found(f"a node ended by itself: {line}")
        if site.database is not None:
            await site.database.start()
            return await asyncio.to_thread(site.database.examine)
        return examine_store(site.nodes[0].database)

    def _late(self, what: str) -> None:
        if self._waited < STARVED:
            self._found(what)

    def _found(self, what: str) -> None:
        self._seen.findings.append(Finding(Invariant.I10, what))

    def _judge(self, produced_until: float, store: StoreView) -> Verdict:
        seen, workload = self._seen, self._stage.workload
        entries = workload.entries()
        history = History(
            entries,
            (*seen.disturbances, *workload.deafness()),
            store,
            produced_until,
            self._clock.monotonic(),
        )
        # Of a crowd that comes back the old connections are there until somebody has had the time to end them.
        connections = self._plan.devices + (2 * self._plan.crowd if self._plan.fault.crowd else 0)
        findings = (
            *examine(history),
            *(too_late(seen.recoveries) if self._waited < STARVED else ()),
            *unbounded(seen.samples, self._idle, connections),
            *seen.findings,
        )
        peak = max(peaks(seen.samples).values(), default=0)
        return Verdict(
            self._plan,
            findings,
            count(entries),
            tuple(seen.recoveries),
            peak,
            tuple(seen.notes),
            waited=self._waited,
        )
