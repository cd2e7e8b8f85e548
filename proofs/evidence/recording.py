"""A run while it is going on: who takes part, and how what the relay holds or emits is kept."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blindrelay.policies import leaves
from blindrelay.proofs.evidence.auditor import Auditor
from blindrelay.proofs.evidence.canaries import Registry
from blindrelay.proofs.evidence.cast import Cast
from blindrelay.proofs.evidence.clock import TurnedClock
from blindrelay.proofs.evidence.lawful import Bench, Use
from blindrelay.proofs.evidence.manifest import FILE, Manifest, Moment
from blindrelay.proofs.evidence.memory import can_dump
from blindrelay.proofs.evidence.relay import RelayUnderProof
from blindrelay.proofs.evidence.scope import Scope
from blindrelay.proofs.evidence.snapshot import copy_folder
from blindrelay.proofs.evidence.tap import Tap
from blindrelay.proofs.evidence.workload import Workload
from blindrelay.protocol.transparency import directory, policy
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.transparency.keys import FOLDER as LOG_KEYS
from blindrelay.relay.transparency.keys import open_keys
from blindrelay.witness.service import Witness

#: Of the relay under proof. Retention is the default; requests in the hundreds are no fraud here.
SETTINGS: Final = {"desk": {"max_requests_a_day": 10_000}}
#: The reason of the canary sweep for which memory is kept.
_MEMORY: Final = "memory"
#: Memory is read so often at most: each takes a fraction of a second, and letters come several times a second.
_TRIES: Final = 100


class Recording:
    """One run, while it is going on."""

    def __init__(self, folder: Path, scope: Scope) -> None:
        self.folder = folder
        self.scope = scope
        self.quick = scope.quick
        self.clock = TurnedClock(folder / "clock")
        self.registry = Registry()
        self.manifest = Manifest(quick=scope.quick, saboteur=scope.saboteur, began=self.clock.now())
        self.relay = RelayUnderProof(folder, SETTINGS, scope.saboteur)
        began = datetime.fromtimestamp(int(self.clock.now()), UTC)
        self.bench = Bench(folder, self.relay.data, self.clock, self.registry, began)
        self.uses: list[Use] = []
        self.cast: Cast
        self.workload: Workload
        self.auditor: Auditor
        #: Service -> what everybody goes through who uses it.
        self.taps: dict[str, Tap] = {}

    @asynccontextmanager
    async def connected(self, *users: str) -> AsyncIterator[None]:
        """The devices of these people are connected; without names, everybody's."""
        chosen = [device for device in self.cast.everybody() if not users or device.address.user in users]
        async with AsyncExitStack() as stack:
            for device in chosen:
                await stack.enter_async_context(device)
            yield

    async def start(self) -> None:
        """Start the relay again; it listens on other ports, and everybody finds it at the same ones."""
        await self.relay.start()
        self.aim()

    @asynccontextmanager
    async def witnessed(self, tap: Tap) -> AsyncIterator[None]:
        """Inside, a witness runs behind `tap`, and the relay's configuration names it: a peer that it may call."""
        data = DataDirectory.open(self.relay.data, now=self.clock.now())
        data.close()
        keys = [open_keys(self.relay.data / LOG_KEYS, name, None)[0].verifier for name in (directory.NAME, leaves.NAME)]
        async with Witness(self.folder / "witness", keys, name="witness.example", clock=self.clock) as witness:
            tap.target = witness.port
            line = policy.Witness("witness", witness.key, f"http://127.0.0.1:{tap.port}")
            self.relay.settings["logs"] = {"witnesses": [str(line)]}
            self.manifest.settings = dict(self.relay.settings)
            self.manifest.peers = [f"127.0.0.1:{tap.port}"]
            yield

    def aim(self) -> None:
        """Let the taps lead to where the relay listens."""
        relay = self.relay
        for service, port in (("mqtt", relay.port), ("desk", relay.desk_port), ("logs", relay.logs_port)):
            self.taps[service].target = port

    # --- what is kept

    async def look(self, name: str, *, memory: bool = False, loaded: bool = False) -> None:
        """Keep what there is on the relay's disk, and perhaps in its memory, at this moment: `loaded`, while letters arrive."""
        self.cast.plant_session_keys()
        tick = asyncio.get_running_loop().time()
        moment = Moment(
            name=name,
            at=self.clock.now(),
            tick=tick,
            outward=self.relay.outward(),
            offspring=self.relay.offspring(),
            core_limits=self.relay.core_limits(),
        )
        if memory and can_dump() and self.scope.wants(_MEMORY):
            place = self.folder / "memory"
            place.mkdir(exist_ok=True)
            await self._dump(moment, place / name, again=loaded)
        moment.nameless = await asyncio.to_thread(self.relay.copy_nameless, self.folder / "nameless" / name)
        await asyncio.to_thread(self._scrape, name)
        await asyncio.to_thread(self._copy, name)
        self.manifest.moments.append(moment)

    async def _dump(self, moment: Moment, out: Path, *, again: bool) -> None:
        """Read the relay's memory; `again`, if no letter has arrived meanwhile, as long as that is not given up on."""
        for _ in range(_TRIES if again else 1):
            before = self.workload.arrived
            moment.memory_bytes = await asyncio.to_thread(self.relay.dump, out)
            moment.meanwhile = self.workload.arrived - before
            if moment.meanwhile:
                return

    async def audit(self, moment: str) -> None:
        """Let the auditor read the public logs."""
        self.manifest.audits += await self.auditor.look(moment, self.taps["logs"].port, self.bench.cases)

    def _scrape(self, name: str) -> None:
        if (found := self.relay.metrics()) is not None:
            place = self.folder / "metrics" / f"{name}.txt"
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(found)

    def _copy(self, name: str) -> None:
        disk = self.folder / "disk" / name
        disk.mkdir(parents=True)
        copy_folder(self.relay.data, disk)
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
