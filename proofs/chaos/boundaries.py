"""Enumeration beats chance: one scripted run of about a hundred messages, ended at every sync call there is.

The script is the same each time: two devices write to two others, a handful at once, and wait for the answers. The relay runs
under `strace`, which kills it at its N-th sync call, or lets that call or a write fail. Whatever becomes of it, it is started
again, the script is finished, and the oracle compares.
"""

import asyncio
import contextlib
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

from blindrelay.proofs.chaos import powercut
from blindrelay.proofs.chaos.evidence import examine_store
from blindrelay.proofs.chaos.history import Disturbance, History, messages
from blindrelay.proofs.chaos.journal import Entry
from blindrelay.proofs.chaos.oracle import Finding, Invariant, examine
from blindrelay.proofs.chaos.people import People, addresses, enrol, register
from blindrelay.proofs.chaos.proxy import Proxy
from blindrelay.proofs.chaos.workload import Place, Workload
from blindrelay.proofs.chaos.world import RelayLeft, World
from blindrelay.protocol.clock import SystemClock

CONNECT_PATIENCE = 30.0
STEP_PATIENCE = 30.0
QUIET_PATIENCE = 20.0
# A relay whose store has failed says goodbye and leaves. Seconds.
LEAVE_PATIENCE = 10.0
STEPS = 12
_POLL = 0.005

# `strace` counts for each thread of its own; nearly all calls are the store thread's. `--seccomp-bpf` would be faster, but
# forgets to inject signals (strace 6.1).
_STRACE: Final = ("strace", "-f")


@dataclass(frozen=True, slots=True)
class Template:
    """A data folder with the script's devices in it, to be copied for each performance."""

    data: Path
    people: People


@dataclass(frozen=True, slots=True)
class Performance:
    """What came of one. `left` says whether the relay went by itself (or was killed by strace), `status` how."""

    findings: list[Finding]
    entries: tuple[Entry, ...]
    left: bool
    status: int


async def prepare(folder: Path) -> Template:
    """Start a relay once, register and connect everybody, and stop it in good order. `folder` must exist."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(World(folder))
        people = enrol(addresses(4), world.data / "relay.crt", folder)
        await register(people, world.port, (world.data / "registration-code").read_text(encoding="ascii").strip())
        workload = await stack.enter_async_context(Workload(people, [Place(world.port)], folder, SystemClock(), seed=0))
        workload.calm_down()
        await workload.connect(CONNECT_PATIENCE)
        await workload.close()
        await world.terminate()
    return Template(world.data, people)


class Script:
    """One performance, in a folder of its own (which must exist).

    `data` is where the relay's data folder goes, if not there; `meanwhile` is called before the step whose number it has.
    """

    def __init__(  # noqa: PLR0913 - what is played, and what happens meanwhile
        self,
        template: Template,
        folder: Path,
        *,
        wrapper: Sequence[str] = (),
        saboteur: str = "",
        data: Path | None = None,
        meanwhile: Mapping[int, Callable[[], None]] = MappingProxyType({}),
    ) -> None:
        self._folder = folder
        self._people = template.people
        self._clock = SystemClock()
        self._world = World(folder, saboteur=saboteur, wrapper=wrapper, data=data)
        self._meanwhile = meanwhile
        self._left = False
        self._status = 0
        self._disturbances: list[Disturbance] = []
        shutil.copytree(template.data, self._world.data)

    @property
    def world(self) -> World:
        """The relay that plays."""
        return self._world

    async def perform(self) -> Performance:
        """Play it to the end, restarting the relay without its wrapper when it goes."""
        start = self._clock.monotonic()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._world.kill)
            with contextlib.suppress(RelayLeft):
                await self._world.start()
            proxy = await stack.enter_async_context(Proxy(self._world.port))
            supervisor = asyncio.create_task(self._supervise(proxy))
            workload = await stack.enter_async_context(
                Workload(self._people, [Place(proxy.port)], self._folder, self._clock, seed=0)
            )
            workload.calm_down()
            await workload.connect(CONNECT_PATIENCE)
            await self._play(workload)
            produced_until = self._clock.monotonic()
            starts = -1
            while starts != self._world.starts:  # it may be killed in the quiet period, too
                starts = self._world.starts
                await workload.quiet(QUIET_PATIENCE)
            await workload.close()
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
            await self._stop()
        if self._left:
            self._disturbances.append(
                Disturbance("the relay left", start, self._clock.monotonic(), severs=True, delays=True)
            )
        return self._judge(workload, produced_until)

    async def _stop(self) -> None:
        if self._world.runs:
            status = await self._world.terminate()
            if not self._left:
                self._status = status

    def _judge(self, workload: Workload, produced_until: float) -> Performance:
        entries = workload.entries()
        history = History(
            entries,
            tuple(self._disturbances),
            examine_store(self._world.database),
            produced_until,
            self._clock.monotonic(),
        )
        return Performance(examine(history), entries, self._left, self._status)

    async def _supervise(self, proxy: Proxy) -> None:
        while True:
            while self._world.runs:  # noqa: ASYNC110 - asyncio tells the end of a process to one waiter alone
                await asyncio.sleep(_POLL)
            if not self._left:
                self._left, self._status = True, await self._world.wait(LEAVE_PATIENCE)
            self._world.wrapper = ()
            await self._world.start()
            proxy.target_port = self._world.port

    async def _play(self, workload: Workload) -> None:
        chance = random.Random("script")  # noqa: S311 - the same each time
        first, second, *recipients = workload.devices.values()
        for step in range(STEPS):
            if step in self._meanwhile:
                self._meanwhile[step]()
            for sender in (first, second):
                for _ in range(chance.randint(3, 5)):
                    sender.send(chance.choice(recipients).address)
            async with asyncio.timeout(STEP_PATIENCE):
                while first.has_open_ends or second.has_open_ends:  # noqa: ASYNC110 - as often as the script wants
                    await asyncio.sleep(_POLL)


async def count_calls(template: Template, folder: Path, call: str = "fdatasync") -> tuple[int, Performance]:
    """Play the script undisturbed; how often the busiest thread makes `call`, and what came of it."""
    trace = folder / "strace.log"
    performance = await Script(template, folder, wrapper=(*_STRACE, "-o", str(trace), "-e", f"trace={call}")).perform()
    threads = Counter(line.split()[0] for line in _lines(trace) if f"{call}(" in line)
    return max(threads.values(), default=0), performance


async def kill_at(template: Template, folder: Path, number: int, call: str = "fdatasync") -> Performance:
    """The relay is killed as it enters the `number`-th `call`."""
    return await _inject(template, folder, call, f"signal=KILL:when={number}")


async def fail_at(template: Template, folder: Path, number: int, *, once: bool, saboteur: str = "") -> Performance:
    """The `number`-th sync fails, alone or with all after it: the relay has to leave, for nobody knows what is on the disk.

    Linux reports a failed write-back once; a second sync that succeeds proves nothing (PostgreSQL learnt it in 2018).
    """
    when = f"{number}" if once else f"{number}+"
    played = await _inject(template, folder, "fdatasync", f"error=EIO:when={when}", saboteur)
    if not played.left or played.status == 0:
        what = f"sync {number} failed, and the relay " + ("left as if all was well" if played.left else "went on")
        played.findings.append(Finding(Invariant.I9, what))
    return played


async def no_room_between(template: Template, folder: Path, first: int, last: int) -> Performance:
    """Writes `first` to `last` find no room: the relay refuses with 0x97, stays, and recovers by itself."""
    played = await _inject(template, folder, "pwrite64", f"error=ENOSPC:when={first}..{last}")
    if played.left:
        played.findings.append(Finding(Invariant.I10, f"the disk was full, and the relay left with {played.status}"))
    return played


async def fill_disk(template: Template, folder: Path, disk: Path) -> Performance:
    """The data folder is on the small file system `disk`, which is filled up for a while in the middle of the script."""
    filler = disk / "filler"

    def fill() -> None:
        size = 1_048_576
        with filler.open("wb", buffering=0) as file:
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    meanwhile = {STEPS // 3: fill, 2 * STEPS // 3: filler.unlink}
    played = await Script(template, folder, data=disk / "data", meanwhile=meanwhile).perform()
    if played.left:
        played.findings.append(Finding(Invariant.I10, f"the disk was full, and the relay left with {played.status}"))
    return played


async def _inject(template: Template, folder: Path, call: str, fault: str, saboteur: str = "") -> Performance:
    wrapper = (*_STRACE, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}")
    return await Script(template, folder, wrapper=wrapper, saboteur=saboteur).perform()


@dataclass(frozen=True, slots=True)
class PowerCuts:
    """How many images were compared, and what was found."""

    images: int
    findings: list[Finding]


async def cut_power(template: Template, folder: Path, *, seed: int = 0, saboteur: str = "") -> PowerCuts:
    """Play the script once and compare an image of the disk for every moment at which the power could have failed."""
    trace, clock = folder / "trace", SystemClock()
    to_epoch = clock.now() - clock.monotonic()
    wrapper = (*powercut.STRACE, "-o", str(trace), "-e", f"trace={powercut.CALLS}")
    database = template.data / "relay.db"
    before = {path.name: path.read_bytes() for path in _with_wal(database)}
    played = await Script(template, folder, wrapper=wrapper, saboteur=saboteur).perform()
    known = messages(played.entries)
    findings = list(played.findings)
    number = 0
    with TemporaryDirectory(dir=folder) as scratch:
        for image in powercut.images(powercut.read_trace(trace), before, seed):
            findings += powercut.examine_image(image, database.name, known, to_epoch, Path(scratch))
            number += 1
    return PowerCuts(number, findings)


def _with_wal(database: Path) -> list[Path]:
    return [path for path in (database, database.with_name(f"{database.name}-wal")) if path.exists()]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
