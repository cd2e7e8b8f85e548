"""A second history of the log `directory`, under the same name and key, for those who are to be shown it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self

from blindrelay.proofs.attacks.insider import NOBODY, Insider
from blindrelay.proofs.attacks.stage import Stage
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.rpc import LOOK_UP_USER, PROVE_HEAD, LookUpUser, ProveHead, ProvenHead, UserEntry
from blindrelay.relay.transparency.directory import DirectoryLog
from blindrelay.relay.transparency.log import Log
from blindrelay.witness.service import Witness


class Fork:
    """What the relay's log has been up to some entry, and then a ghost's statement."""

    def __init__(self, log: Log, insider: Insider, ghost: Thief, at: int) -> None:
        self._log = DirectoryLog(log)
        self._insider = insider
        self._ghost = ghost
        self._at = at

    @classmethod
    @asynccontextmanager
    async def open(
        cls, stage: Stage, ghost: Thief, at: int, *, witness: Witness | None = None, times: int = 1
    ) -> AsyncIterator[Self]:
        """Fork the log after `at` entries, and publish it: with the cosignature of `witness`, if that gives one.

        The ghost's entry is there so many `times`: a history may have as many entries as the other one, or more.
        """
        insider = stage.insider
        entries = [*(await insider.entries())[:at], *[ghost.logged] * times]
        asked = () if witness is None else (stage.witness_line(witness),)
        log = await insider.second_log(entries, stage.folder / "fork", stage.clock, asked)
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
