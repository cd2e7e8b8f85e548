"""The log `directory`, as this device has seen it: one history, that only ever grows, and is the same for everybody.

Before anything is encrypted for somebody, their tenant's root and each of their devices must be in a checkpoint that

| check         | what                                                                                                     |
|---------------|----------------------------------------------------------------------------------------------------------|
| `checkpoint`  | the log has signed it, and as many witnesses have cosigned it as this device wants                       |
| `stale`       | those have done so lately: an older directory is not shown as the present one                            |
| `inclusion`   | leads down to the entry: nobody is shown a device or a root that the world is not shown                  |
| `consistency` | continues the last checkpoint that this device has seen                                                  |
| `rollback`    | is not smaller than one that was there before                                                            |
| `split-view`  | belongs to the history that others have been shown                                                       |

What this device has seen goes out inside every letter, and what its peers have seen comes in with theirs: a relay that shows
two people two histories has to keep them from ever writing to each other. The last three checks find proof, with the log's own
signatures, that there are two histories. It is kept, and nothing is sent any more until a person has dealt with it.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from blindrelay.clients.errors import HistoryRejected, StoreDamaged
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.log_records import Alarm, Habits, Heard, LogRecords, TwoHistories
from blindrelay.clients.log_trust import LogTrust
from blindrelay.clients.rpc import Caller
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.rpc import LOG_POLICIES, PROVE_HEAD, Empty, Head, Included, ProveHead
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.directory import Entry
from blindrelay.protocol.transparency.merkle import leaf_hash, verify_consistency, verify_inclusion
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust, Witnessed

_HEAD: Final = "head"
_HEARD: Final = "heard"
_ALARM: Final = "alarm"
# So many heads wait to be compared at most; a peer cannot fill the key store.
_MAX_HEARD: Final = 15

_ALL_HEARD: Final = TypeAdapter(list[Heard])


class Heads:
    """See the module. Kept in the device's key store."""

    def __init__(self, store: KeyStore, clock: Clock, habits: Habits | None = None) -> None:
        self._store = store
        self._clock = clock
        self._habits = habits or Habits()
        self._records = LogRecords(store)
        self._trust = LogTrust(self._records, self._habits)
        self._gossip: tuple[bytes, bytes] = (b"", b"")  # of which head, what
        self._comparing = asyncio.Lock()
        #: Set when there is something to be compared soon: see `reconcile`.
        self.due = asyncio.Event()

    # What is known.

    @property
    def trust(self) -> Trust | None:
        """By what the log is verified; None while nobody has said."""
        return self._trust.current

    @property
    def note(self) -> Note | None:
        """The newest checkpoint that was verified, with its signatures."""
        kept = self._records.get(_HEAD)
        return None if kept is None else Note.parse(kept)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What it says."""
        note = self.note
        return None if note is None else Checkpoint.parse(note.text)

    @property
    def alarm(self) -> Alarm | None:
        """Proof of two histories, if there is any."""
        kept = self._records.get(_ALARM)
        try:
            return None if kept is None else Alarm.model_validate_json(kept)
        except ValidationError:
            raise StoreDamaged("the key store has an alarm that is none: restore it from a backup") from None

    def dismiss(self) -> None:
        """A person has dealt with the alarm: what the relay shows from now on is taken for the history."""
        self._records.delete((_ALARM, _HEAD, _HEARD))

    def check(self) -> None:
        """Raise `HistoryRejected` when there is an alarm, or the relay has been asked for a proof in vain for too long."""
        if (alarm := self.alarm) is not None:
            raise HistoryRejected(alarm.check, alarm.reason)
        late = [each for each in self._heard() if self._clock.now() - each.at > self._habits.max_age]
        if late:
            raise HistoryRejected(
                "split-view", f"the relay does not prove that what {late[0].who} has been shown is what we are shown"
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One of the key store; an alarm that ends it is kept all the same."""
        try:
            with self._store.transaction():
                yield
        except TwoHistories as found:
            if self.alarm is None:  # the first one is the evidence
                self._keep_alarm(found.alarm)
            raise

    # What the relay shows.

    async def learn_policy(self, caller: Caller) -> None:
        """Ask by what the log is to be verified, where nobody else has said: see `log_trust`."""
        if self._trust.is_told:
            return
        self._trust.learn((await caller.call(LOG_POLICIES, Empty())).directory)
        if self._trust.offered:
            self.due.set()

    def accept(self, head: Head, seen: Checkpoint | None) -> Checkpoint:
        """Verify the checkpoint of an answer, in a `transaction`. `seen` is the one whose size was asked with; None: 0.

        Raises:
            HistoryRejected: a check of the module's table failed.
        """
        self.check()
        checkpoint = self._open(head.checkpoint).checkpoint
        shown = self._shown(head.checkpoint)
        if seen is not None:
            self._prove(shown, seen, checkpoint, head.consistency)
        if not self._advance(shown, seen) and seen is not None:
            self.due.set()  # else somebody asked without saying who they are: not in the same moment
        return checkpoint

    def check_included(self, entry: Entry, included: Included, checkpoint: Checkpoint) -> None:
        """Raise `HistoryRejected` unless the entry is in the log, where it is said to be."""
        leaf = leaf_hash(entry.encode())
        try:
            verify_inclusion(leaf, included.index, checkpoint.size, included.path, checkpoint.root)
        except VerificationFailed as error:
            what = f"a {entry.kind} of {entry.tenant}"
            raise HistoryRejected("inclusion", f"it shows {what} that its log does not ({error.reason})") from None

    def _open(self, data: bytes) -> Witnessed:
        trust = self.trust
        if trust is None:
            raise HistoryRejected("checkpoint", "nobody has said by what its log is to be verified")
        try:
            witnessed = trust.open(data)
        except VerificationFailed as error:
            raise HistoryRejected("checkpoint", error.reason) from None
        except Malformed as error:
            raise HistoryRejected("checkpoint", str(error)) from None
        now, most = self._clock.now(), self._habits.max_age
        if not trust.is_met_by({name for name, time in witnessed.cosigned if abs(now - time) <= most}):
            age = (now - max(time for _, time in witnessed.cosigned)) / 60
            raise HistoryRejected(
                "stale",
                f"its witnesses have last seen it {age:.0f} minutes ago: something newer is being withheld"
                if age > 0
                else f"its witnesses say that they will see it in {-age:.0f} minutes: their clocks or ours are wrong",
            )
        return witnessed

    def _prove(self, shown: Heard, old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
        """Raise `TwoHistories` unless `new` continues `old`; `shown` is the evidence, beside our own newest checkpoint."""
        if new.size < old.size:
            raise self._two_histories("rollback", f"{old.size} entries were shown, and {new.size} are now", shown)
        try:
            verify_consistency(old.size, old.root, new.size, new.root, proof)
        except VerificationFailed as error:
            if shown.source or new.size == old.size:
                raise self._split(shown, old.size) from None
            raise self._two_histories(
                "consistency", f"its log does not continue itself: {error.reason}", shown
            ) from None

    def _advance(self, shown: Heard, proved: Checkpoint | None) -> bool:
        """Make `shown`, which continues `proved`, the newest one. If another one has become that meanwhile, it waits to be
        compared, and the answer is False. Raises `TwoHistories` when they contradict each other at once."""
        current = self.checkpoint
        if current is None or proved == current:
            self._records.put(_HEAD, shown.note)
            return True
        if shown.checkpoint.size != current.size:
            self._queue(shown)
            return False
        if shown.checkpoint.root != current.root:
            raise self._split(shown, current.size)
        return True

    # What peers have seen.

    @property
    def gossip(self) -> bytes:
        """What goes out with every letter: the newest checkpoint, with the log's signature alone. Empty: there is none."""
        head = self._records.get(_HEAD) or b""
        if head != self._gossip[0]:
            note = Note.parse(head)
            origin = Checkpoint.parse(note.text).origin
            ours = replace(note, signatures=tuple(each for each in note.signatures if each.name == origin))
            self._gossip = (head, ours.encode())
        return self._gossip[1]

    def hear(self, data: bytes, source: str) -> None:
        """A checkpoint came inside a letter of `source`. What the log has not signed proves nothing, and is passed over."""
        trust = self.trust
        if not data or trust is None:
            return
        with suppress(Malformed):
            note = Note.parse(data)
            if self._trust.has_signed(note) and Checkpoint.parse(note.text).origin == trust.log.name:
                self._compare(Heard(note=data, source=source, at=int(self._clock.now())))

    def _compare(self, heard: Heard) -> None:
        current = self.checkpoint
        if current is None or heard.checkpoint.size != current.size:
            self._queue(heard)
            self.due.set()
        elif heard.checkpoint.root != current.root and self.alarm is None:
            self._keep_alarm(self._split(heard, current.size).alarm)

    def _queue(self, heard: Heard) -> None:
        waiting = self._heard()
        if len(waiting) < _MAX_HEARD and heard.checkpoint not in [each.checkpoint for each in waiting]:
            self._keep_heard([*waiting, heard])

    async def reconcile(self, caller: Caller) -> None:
        """Have the relay prove that its newest checkpoint continues our own and all that were heard of.

        `caller` is the device's own connection: asked over an anonymous one, the sizes would tell who it is.

        Raises:
            HistoryRejected: it cannot. The alarm is kept by then.
        """
        async with self._comparing:
            self.due.clear()
            self.check()
            heard, current = self._heard(), self.checkpoint
            if heard or self._trust.offered:
                await self._reconcile(caller, heard, current)

    async def _reconcile(self, caller: Caller, heard: list[Heard], current: Checkpoint | None) -> None:
        known = [each.checkpoint for each in heard] + ([current] if current is not None else [])
        answer = await caller.call(PROVE_HEAD, ProveHead(seen=[each.size for each in known]))
        newest = self._open(answer.checkpoint)
        proofs = answer.consistency if len(answer.consistency) == len(known) else [[] for _ in known]
        shown = self._shown(answer.checkpoint)
        with self.transaction():
            for evidence, old, proof in zip([*heard, shown], known, proofs, strict=False):
                self._prove(evidence, old, newest.checkpoint, proof)
            self._keep_heard([each for each in self._heard() if each not in heard])
            if not self._advance(shown, current):  # a look-up has been answered meanwhile
                self.due.set()
            self._trust.adopt(answer.checkpoint)

    # Inside.

    def _shown(self, note: bytes) -> Heard:
        return Heard(note=note, source="", at=int(self._clock.now()))

    def _heard(self) -> list[Heard]:
        kept = self._records.get(_HEARD)
        return [] if kept is None else _ALL_HEARD.validate_json(kept)

    def _keep_heard(self, heard: list[Heard]) -> None:
        self._records.put(_HEARD, _ALL_HEARD.dump_json(heard))

    def _keep_alarm(self, alarm: Alarm) -> None:
        self._records.put(_ALARM, alarm.model_dump_json().encode())

    def _split(self, shown: Heard, size: int) -> TwoHistories:
        return self._two_histories(
            "split-view", f"{shown.who} has been shown other entries among the first {size} than it shows now", shown
        )

    def _two_histories(self, check: str, reason: str, shown: Heard) -> TwoHistories:
        ours = self._records.get(_HEAD) or b""
        now = int(self._clock.now())
        return TwoHistories(
            Alarm(check=check, reason=reason, ours=ours, theirs=shown.note, heard_from=shown.source, at=now)
        )
