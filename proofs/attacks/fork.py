"""A second history of the log `directory`, under the same name and key, for those who are to be shown it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Self

from blindrelay.proofs.attacks.insider import NOBODY, Insider
from blindrelay.proofs.attacks.stage import Stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.rpc import LOOK_UP_USER, PROVE_HEAD, LookUpUser, ProveHead, ProvenHead, UserEntry
from blindrelay.protocol.statements import DeviceStatement
from blindrelay.protocol.transparency.directory import device_stated
from blindrelay.protocol.transparency.policy import NO_QUORUM, Trust
from blindrelay.relay.transparency.directory import DirectoryLog
from blindrelay.relay.transparency.log import Log
from blindrelay.witness.service import Witness


class Entries:
    """The entries of a log, in memory."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._entries = list(entries)

    async def entries(self, start: int) -> list[bytes]:
        """Those from `start` on."""
        return self._entries[start:]

    async def count(self) -> int:
        """How many there are."""
        return len(self._entries)


class Fork:
    """What the relay's log has been up to some entry, and then a ghost's statement."""

    def __init__(self, log: Log, insider: Insider, ghost: Thief, at: int) -> None:
        self._log = DirectoryLog(log)
        self._insider = insider
        self._ghost = ghost
        self._at = at

    @classmethod
    @asynccontextmanager
    async def open(cls, stage: Stage, ghost: Thief, at: int, witness: Witness | None = None) -> AsyncIterator[Self]:
        """Fork the log after `at` entries, and publish it: with the cosignature of `witness`, if that gives one."""
        insider = stage.insider
        root = await insider.root_of(ghost.address.tenant)
        signed = ghost.identity.statement()
        statement = DeviceStatement.model_validate_json(signed.body)
        entries = [*(await insider.entries())[:at], device_stated(root, ghost.certificate, statement, signed).encode()]
        honest = insider.log.settings
        asked = () if witness is None else (stage.witness_line(witness),)
        settings = replace(honest, trust=Trust(honest.trust.log, asked, (), NO_QUORUM))
        log = await Log.open(stage.folder / "fork", Entries(entries), settings, stage.clock)
        try:
            yield cls(log, insider, ghost, at)
        finally:
            await log.close()

    def show(self, to: DeviceAddress) -> None:
        """From now on that device is shown this history, and the ghost in it."""
        ghost, owner = self._ghost, self._ghost.address.owner

        async def look_up(request: LookUpUser, honest: Callable[[LookUpUser], Awaitable[UserEntry]]) -> UserEntry:
            entry = await honest(LookUpUser(user=request.user))
            devices = [each for each in entry.devices if each.included.index < self._at]
            indices = [entry.root_included.index, *(each.included.index for each in devices)]
            if request.user == owner:
                devices.append(ghost.entry(devices[0].included))
                indices.append(self._at)
            (root, *included), head = await self._log.prove(indices, request.seen)
            proved = [
                each.model_copy(update={"included": proof}) for each, proof in zip(devices, included, strict=True)
            ]
            return entry.model_copy(update={"root_included": root, "devices": proved, "head": head})

        async def prove(request: ProveHead, _: Callable[[ProveHead], Awaitable[ProvenHead]]) -> ProvenHead:
            return await self._log.prove_head(NOBODY, request)

        self._insider.answer(LOOK_UP_USER, look_up, to)
        self._insider.answer(PROVE_HEAD, prove, to)
        self._insider.hand_out(ghost.address, ghost.prekey, to)
