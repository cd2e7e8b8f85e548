"""Makes the evidence: runs a relay, lets people, authorities and operators do what they do, and keeps everything that the relay
holds or emits. What is made of it is for the checks, which read the folder and nothing else.

    python -m blindrelay.proofs.evidence.record FOLDER [--quick] [--saboteur NAME] [--stages STAGE...] [--reasons REASON...]

A process of its own: a saboteur of the clients is in here, and not where the checks are. Progress goes to standard output, a
line of JSON for each stage.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.errors import ClientError
from blindrelay.clients.options import Posture
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.proofs.evidence import keylog
from blindrelay.proofs.evidence.auditor import Auditor
from blindrelay.proofs.evidence.canaries import Registry
from blindrelay.proofs.evidence.cast import Cast
from blindrelay.proofs.evidence.clock import TurnedClock
from blindrelay.proofs.evidence.lawful import Bench, Use, main_uses, running_streams, shipped, uses
from blindrelay.proofs.evidence.manifest import FILE, Manifest, Moment, Trouble
from blindrelay.proofs.evidence.memory import can_dump
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.evidence.probes import ClientProbes, DeskProbes
from blindrelay.proofs.evidence.relay import RelayUnderProof
from blindrelay.proofs.evidence.scope import Scope, Stage
from blindrelay.proofs.evidence.tap import Tap
from blindrelay.proofs.evidence.workload import LARGE, Workload
from blindrelay.protocol.errors import BlindrelayError
from blindrelay.relay.datadir import DataDirectory

_PATIENCE: Final = 15.0
#: With a saboteur in it what does not come is expected not to come.
_PATIENCE_UNDER_SABOTAGE: Final = 4.0
_HOUR: Final = 3_600.0
_DAY: Final = 24 * _HOUR
#: Of the relay under proof. Retention is the default; requests in the hundreds are no fraud here.
SETTINGS: Final = {"desk": {"max_requests_a_day": 10_000}}
_SHORT_LIVED: Final = 1_800.0

#: The reason of the canary sweep for which memory is kept.
_MEMORY: Final = "memory"


class Recording:
    """One run, while it is going on."""

    def __init__(self, folder: Path, scope: Scope) -> None:
        self.folder = folder
        self.scope = scope
        self.quick = scope.quick
        self.clock = TurnedClock(folder / "clock")
        self.registry = Registry()
        self.manifest = Manifest(
            quick=scope.quick, saboteur=scope.saboteur, began=self.clock.now(), settings=dict(SETTINGS)
        )
        self.relay = RelayUnderProof(folder, SETTINGS, scope.saboteur)
        began = datetime.fromtimestamp(int(self.clock.now()), UTC)
        self.bench = Bench(folder, self.relay.data, self.clock, self.registry, began)
        self.uses: list[Use] = []
        self.cast: Cast
        self.workload: Workload
        self.auditor: Auditor
        self._present = AsyncExitStack()

    @asynccontextmanager
    async def connected(self, *users: str) -> AsyncIterator[None]:
        """The devices of these people are connected; without names, everybody's."""
        chosen = [device for device in self.cast.everybody() if not users or device.address.user in users]
        async with AsyncExitStack() as stack:
            for device in chosen:
                await stack.enter_async_context(device)
            yield

    # --- what is kept

    async def look(self, name: str, *, memory: bool = False) -> None:
        """Keep what there is on the relay's disk, and perhaps in its memory, at this moment."""
        self.cast.plant_session_keys()
        tick = asyncio.get_running_loop().time()
        moment = Moment(name=name, at=self.clock.now(), tick=tick, outward=self.relay.outward())
        if memory and can_dump() and self.scope.wants(_MEMORY):
            place = self.folder / "memory"
            place.mkdir(exist_ok=True)
            moment.memory_bytes = await asyncio.to_thread(self.relay.dump, place / name)
        await asyncio.to_thread(self._copy, name)
        self.manifest.moments.append(moment)

    async def audit(self, moment: str) -> None:
        """Let the auditor read the public logs."""
        self.manifest.audits += await self.auditor.look(moment, self.relay.logs_port, self.bench.cases)

    def _copy(self, name: str) -> None:
        shutil.copytree(self.relay.data, self.folder / "disk" / name, copy_function=_copy_file)
        backup = self.folder / "backups" / f"{name}.db"
        backup.parent.mkdir(exist_ok=True)
        with (
            contextlib.closing(sqlite3.connect(f"file:{self.relay.data / 'relay.db'}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(backup)) as copy,
        ):
            source.backup(copy)

    def finish(self) -> None:
        """Write the manifest."""
        manifest = self.manifest
        manifest.seconds = self.clock.monotonic()
        manifest.canaries = self.registry.planted
        manifest.cases = self.bench.cases
        manifest.package_seeds = self.bench.package_keys()
        (self.folder / FILE).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")


def _copy_file(source: str, target: str) -> None:
    """A file may go while the folder is copied."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(source, target)


# --- the stages


async def talk(run: Recording) -> None:
    """Everybody writes, in both postures, everything that there is to write."""
    device, work = run.cast.device, run.workload
    firsts = [device(user) for user in ("alice", "bob", "tom", "ayesha", "ravi", "mia", "carol", "dave")]
    async with run.connected():
        await work.ring(firsts, Posture.STANDARD)
        await work.ring(firsts, Posture.SEALED)
        group = await work.group(device("alice"), [device("bob"), device("carol"), device("tom")])
        await work.chat(device("bob"), [device("alice"), device("tom")], to=group)
        await work.mail(device("bob"), [device("alice"), device("carol")])
        await work.mail(device("alice"), [device("bob")], posture=Posture.SEALED, size=5_000 if run.quick else LARGE)
        await work.retract(device("carol"), device("dave"))
        over = asyncio.Event()
        loads = [
            asyncio.create_task(work.busy(device(one), device(other), over))
            for one, other in (("tom", "ayesha"), ("ravi", "mia"))
        ]
        try:
            await asyncio.sleep(0.2)
            await run.look("under-load", memory=True)
        finally:
            over.set()
            await asyncio.gather(*loads)


async def wait(run: Recording) -> None:
    """Some are away, and letters wait for them."""
    device, work = run.cast.device, run.workload
    await asyncio.sleep(1.0)  # times are kept by the second
    run.bench.since = datetime.fromtimestamp(int(run.clock.now()), UTC)
    async with run.connected():
        await work.ring([device(user) for user in ("alice", "bob", "tom", "ayesha", "ravi", "mia")], Posture.STANDARD)
    async with run.connected("alice", "carol"):
        for posture in Posture:
            await device("alice").send(device("bob").user, work.words(f"waits for bob, {posture}"), posture=posture)
        await device("carol").send_mail(
            device("bob").user, work.words("subject of what waits for bob"), work.words("mail that waits for bob")
        )
        receipt = await device("alice").send(
            device("tom").user, work.words("expires before tom comes"), expires_in=_SHORT_LIVED
        )
        await receipt.accepted(_PATIENCE)
    await run.look("waiting", memory=True)


async def try_clients(run: Recording) -> None:
    """What a relay could try on clients."""
    probes = ClientProbes(run.cast, run.workload, run.relay.data / "relay.db", run.clock)
    run.manifest.probes += await probes.carry_out()


async def ask(run: Recording) -> None:
    """Authorities ask for everything under every instrument."""
    for use in run.uses:
        await run.bench.petition(use)
    urgent = main_uses(run.uses)
    for use in urgent if run.quick else run.uses:
        await run.bench.urge(use)
    run.manifest.probes += await DeskProbes(run.bench, run.folder, run.clock).carry_out(urgent[0])
    streams = list(running_streams(run.bench.cases))[: 3 if run.quick else None]
    following = [asyncio.create_task(run.bench.follow(case, demand, 3.0, ended=False)) for case, demand in streams]
    async with run.connected():
        await run.workload.ring([run.cast.device(user) for user in ("alice", "tom", "ayesha")], Posture.STANDARD)
        await run.workload.ring([run.cast.device(user) for user in ("alice", "tom", "ayesha")], Posture.SEALED)
        await run.workload.read(run.cast.device("bob"))
    await asyncio.gather(*following)
    await run.audit("delivered")
    await run.look("delivered", memory=not run.quick)


async def age(run: Recording) -> None:
    """Time passes: letters expire, orders end, records go."""
    run.clock.advance(1.5 * _HOUR)
    await run.relay.tell("house")
    async with run.connected("alice", "tom", "ayesha"):
        await run.workload.ring([run.cast.device(user) for user in ("alice", "tom", "ayesha")], Posture.STANDARD)
    for case, demand in list(running_streams(run.bench.cases))[: 3 if run.quick else None]:
        await run.bench.follow(case, demand, 1.0, ended=True)
    await run.audit("expired")
    await run.look("expired")
    run.clock.advance(31 * _DAY)
    await run.relay.tell("house")
    async with run.connected():
        for address, device in run.cast.devices.items():
            await device.fetch_notices()
            run.manifest.notices[address] = [kept.notice.model_dump_json() for kept in device.kept_notices()]
    await run.audit("aged")
    await run.look("aged")


async def end(run: Recording) -> None:
    """What the relay has loaded, and how it leaves: as asked, and when it is aborted."""
    run.manifest.modules = (await run.relay.tell("modules"))["modules"]
    run.manifest.policies = await run.relay.tell("walk quickly" if run.quick else "walk")
    run.manifest.exit_status = await run.relay.stop()
    await run.relay.start()
    await run.audit("restarted")
    await run.relay.stop(signal.SIGABRT)
    await run.look("stopped")


_PLAYED: Final[dict[Stage, Callable[[Recording], Awaitable[None]]]] = {
    Stage.TALK: talk,
    Stage.WAIT: wait,
    Stage.TRY: try_clients,
    Stage.ASK: ask,
    Stage.AGE: age,
    Stage.LEAVE: end,
}


async def record(folder: Path, scope: Scope, say: Callable[[str], None]) -> None:
    """Make the evidence in `folder`, which exists and is empty. What goes wrong is written down as trouble."""
    run = Recording(folder, scope)
    wire = folder / "wire"
    wire.mkdir()
    try:
        say("a relay, enterprises in six jurisdictions, their people and authorities")
        DataDirectory.open(run.relay.data, now=run.clock.now()).close()
        run.uses = uses(shipped())
        if scope.quick:
            run.uses = main_uses(run.uses)
        run.bench.enter(run.uses)
        async with Tap.open(wire, "mqtt") as mqtt, Tap.open(wire, "desk") as desk, run.relay as relay:
            mqtt.target, desk.target = relay.port, relay.desk_port
            ca = (relay.data / "relay.crt").read_bytes()
            code = (relay.data / "registration-code").read_text("ascii").strip()
            run.bench.meet(DeskAddress("127.0.0.1", desk.port, ca))
            run.auditor = Auditor(folder, ca, run.clock)
            run.cast = Cast(RelayAddress("127.0.0.1", mqtt.port, ca, code), folder, run.clock, run.registry)
            run.workload = Workload(run.cast, run.registry, _PATIENCE_UNDER_SABOTAGE if scope.saboteur else _PATIENCE)
            async with run.cast:
                run.cast.plant_enterprise_keys()
                for stage in scope.stages:
                    say(stage.about)
                    await _try(run, stage)
                    mqtt.target, desk.target = relay.port, relay.desk_port
                run.manifest.tenants, run.manifest.devices = run.cast.tenants(), run.cast.facts()
                run.manifest.letters = run.workload.letters
    finally:
        run.finish()


async def _try(run: Recording, stage: Stage) -> None:
    try:
        await _PLAYED[stage](run)
    except (BlindrelayError, ClientError, OSError, TimeoutError, ValueError, LookupError) as error:
        run.manifest.troubles.append(Trouble(stage=stage.about, error=f"{type(error).__name__}: {error}"[:2_000]))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Make the evidence.")
    parser.add_argument("folder", type=Path)
    Scope.add_options(parser)
    arguments = parser.parse_args()
    leave_with_the_parent()
    began = time.monotonic()

    def say(stage: str) -> None:
        sys.stdout.write(json.dumps({"stage": stage, "seconds": round(time.monotonic() - began, 2)}) + "\n")
        sys.stdout.flush()

    keylog.keep(arguments.folder / "keylog")
    if arguments.saboteur:
        from blindrelay.proofs.saboteurs.catalogue import find  # noqa: PLC0415 - honest runs import no saboteur

        find(arguments.saboteur).in_clients()
    asyncio.run(record(arguments.folder, Scope.of(arguments), say))


if __name__ == "__main__":
    main()
