"""A public log, as an auditor reads it: each checkpoint is verified, and has to continue the last one that was.

| check         | what it finds                                                                                      |
|---------------|----------------------------------------------------------------------------------------------------|
| `checkpoint`  | another log's, not signed by the log's key, or cosigned by too few witnesses                         |
| `stale`       | the witnesses' cosignatures are old: an older log is being shown as the present one                 |
| `rollback`    | fewer entries than there were                                                                      |
| `split-view`  | as many entries as there were, and others                                                          |
| `consistency` | more entries than there were, and not the same ones before them                                    |
| and           | those of `tree`                                                                                    |

`rollback`, `split-view` and `consistency` are proof: the log has signed two histories. Both checkpoints are kept.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.clients.auditor.memory import Memory
from blindrelay.clients.auditor.source import HttpSource, Source
from blindrelay.clients.auditor.tree import VerifiedTree
from blindrelay.clients.errors import LogRejected, NotEnrolled
from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import MAX_NOTE
from blindrelay.protocol.transparency.policy import Trust, Witnessed
from blindrelay.protocol.transparency.proof import LogProof
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH

POLICY_PATH: Final = "policy"
#: How old cosignatures may be. A relay has them renewed every ten minutes. Seconds.
MAX_AGE: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Wants:
    """What a reader wants of a log.

    Attributes:
        witnesses: how many of the policy's witnesses must have cosigned; None: as the policy's own quorum says.
        max_age: how old their cosignatures may be. Seconds.
    """

    witnesses: int | None = None
    max_age: float = MAX_AGE

    def of(self, trust: Trust) -> Trust:
        """The policy, with the wanted number of witnesses. Raises `Malformed` if it has not as many."""
        return trust if self.witnesses is None else Trust.threshold(trust.log, trust.witnesses, self.witnesses)


@asynccontextmanager
async def open_log(
    address: LogsAddress,
    name: str,
    folder: Path,
    *,
    policy: Trust | None = None,
    wants: Wants | None = None,
    clock: Clock | None = None,
) -> AsyncIterator["PublicLog"]:
    """The log `name` of a relay.

    Args:
        folder: where to remember what has been seen, of whatever log.
        policy: by what to verify it; else what the address says, else what the relay said when it was first asked.

    Raises:
        NotEnrolled: the relay has no such log.
        Malformed: the policy is none, or has fewer witnesses than are wanted.
        RelayUnreachable, ConnectionLost, TimedOut, StoreError
    """
    wanted, own_clock = wants or Wants(), clock or SystemClock()
    async with HttpSource(address, address.url(name)) as source:
        known = policy or (Trust.parse(address.policies[name]) if name in address.policies else None)
        said = await _said(source) if known is None else None
        trust = known or said
        assert trust is not None  # noqa: S101 - one of them was there
        wanted.of(trust)
        yield PublicLog(source, trust, Memory(folder, trust.log.name), wanted, own_clock, offered=said)


class PublicLog:
    """See the module. `open_log` makes one.

    Attributes:
        memory: what is remembered of it.
        is_said_by_relay: whether by what it is verified is known from the relay alone.
    """

    def __init__(
        self, source: Source, trust: Trust, memory: Memory, wants: Wants, clock: Clock, *, offered: Trust | None = None
    ) -> None:
        self.memory = memory
        self.is_said_by_relay = offered is not None
        self._source = source
        self._offered = offered
        self._trust = trust
        self._wants = wants
        self._clock = clock

    @property
    def trust(self) -> Trust:
        """By what it is verified."""
        return self._wants.of(self._trust)

    async def newest(self) -> "Reading":
        """The newest checkpoint, verified and remembered.

        Raises:
            LogRejected: a check of the module's table failed.
            RelayUnreachable, ConnectionLost, TimedOut, StoreError
        """
        async with self.memory.locked():
            self.memory.check()
            if self._offered is not None:
                self._trust = self.memory.policy() or self._offered
            data = await self._source.get(CHECKPOINT_PATH, MAX_NOTE)
            last = self.memory.checkpoint()
            if data is None:
                raise self._nothing(last)
            witnessed = self._open(data, self.trust)
            tree = VerifiedTree(self._source, witnessed.checkpoint)
            if last is not None:
                await self._compare(tree, data, *last)
            self.memory.keep(data)
            self._adopt(data)
        return Reading(witnessed, data, tree)

    def _nothing(self, last: tuple[Checkpoint, bytes] | None) -> Exception:
        if last is None:
            return NotEnrolled(f"{self.memory.origin} has not been published yet")
        return LogRejected(self.memory.origin, "withheld", "it has had a checkpoint, and shows none any more")

    def _open(self, data: bytes, trust: Trust) -> Witnessed:
        try:
            witnessed = trust.open(data)
        except (VerificationFailed, Malformed) as error:
            raise LogRejected(self.memory.origin, "checkpoint", str(error).removeprefix("checkpoint: ")) from None
        now, most = self._clock.now(), self._wants.max_age
        if not trust.is_met_by({name for name, time in witnessed.cosigned if abs(now - time) <= most}):
            raise LogRejected(
                self.memory.origin,
                "stale",
                f"its witnesses have last seen it {(now - (witnessed.time or 0)) / 60:.0f} minutes ago, and "
                f"{most / 60:.0f} are allowed: something newer is being withheld, or the relay has lost its witnesses",
            )
        return witnessed

    async def _compare(self, tree: VerifiedTree, data: bytes, old: Checkpoint, ours: bytes) -> None:
        """Raise `LogRejected`, with the evidence kept, unless the tree continues the last checkpoint."""
        new = tree.head
        if new.size < old.size:
            raise self.memory.keep_contradiction(
                "rollback", f"it has had {old.size} entries, and shows {new.size} now", ours, data
            )
        if await tree.root(old.size) == old.root:
            return
        check = "split-view" if new.size == old.size else "consistency"
        raise self.memory.keep_contradiction(
            check, f"among the first {old.size} of its {new.size} entries are others than there were before", ours, data
        )

    def _adopt(self, data: bytes) -> None:
        """Where only the relay says by what to verify: what it says now counts once a checkpoint holds by both, for then the
        old key has vouched for the new one."""
        kept = self.memory.policy()
        if self._offered is None or self._offered == kept:
            return
        # Less may not be asked of witnesses than was: that would be how a relay gets rid of them.
        if kept is not None and not self._offered.is_as_strict_as(kept):
            return
        try:
            self._open(data, self._wants.of(self._offered))
        except (LogRejected, Malformed):
            return
        self.memory.keep_policy(self._offered)


@dataclass(frozen=True, slots=True)
class Reading:
    """A log as it is at one moment.

    Attributes:
        witnessed: its checkpoint, and who has cosigned it when.
        note: the checkpoint as it was served.
        tree: what is below it.
    """

    witnessed: Witnessed
    note: bytes
    tree: VerifiedTree

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self.tree.head.size

    async def prove(self, index: int) -> LogProof:
        """The proof that it has the entry `index`, as a file for others. Raises `ValueError` if there is no such entry."""
        return LogProof(index, await self.tree.inclusion(index), self.note)


async def _said(source: HttpSource) -> Trust:
    """What the relay itself says."""
    data = await source.get(POLICY_PATH, MAX_NOTE)
    if data is None:
        raise NotEnrolled(f"there is no log at {source.url}: check address and name")
    try:
        return Trust.parse(data.decode("utf-8", "replace"))
    except Malformed as error:
        raise Malformed(f"what {source.url}{POLICY_PATH} says is no policy of a log: {error}") from None
