"""What a device wants of the log `directory`, and what it keeps about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from blindrelay.clients.errors import HistoryRejected
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.protocol.rpc import MAX_CHECKPOINT
from blindrelay.protocol.statements import Wire
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note

_Checkpoint = Annotated[bytes, Field(max_length=MAX_CHECKPOINT, repr=False)]


@dataclass(frozen=True, slots=True)
class Habits:
    """What a device wants of a log.

    Attributes:
        policy: by what to verify it (https://c2sp.org/tlog-policy); None: what the relay says when it is first asked.
        witnesses: how many of the policy's witnesses must have cosigned; None: as the policy's own quorum says.
        max_age: how old cosignatures may be, and for how long what peers have seen may stay uncompared. Seconds.
    """

    policy: str | None = None
    witnesses: int | None = None
    max_age: float = 3_600.0


class Heard(Wire):
    """A checkpoint that is still to be compared with our own, since `at` (epoch seconds).

    `source` is the device whose letter it was in; empty: the relay itself showed it, when nothing tied it to our own.
    """

    note: _Checkpoint
    source: str
    at: int

    @property
    def checkpoint(self) -> Checkpoint:
        """What it says. It was verified before it was kept."""
        return Checkpoint.parse(Note.parse(self.note).text)

    @property
    def who(self) -> str:
        """Who has been shown it."""
        return self.source or "this device"


class Alarm(Wire):
    """Proof that the log has two histories: two checkpoints with its signature that do not fit together."""

    check: Annotated[str, Field(max_length=20)]
    reason: Annotated[str, Field(max_length=500)]
    ours: _Checkpoint
    theirs: _Checkpoint
    heard_from: str
    at: int


class TwoHistories(HistoryRejected):
    """The relay has just given proof against itself; the alarm is to be kept."""

    def __init__(self, alarm: Alarm) -> None:
        super().__init__(alarm.check, alarm.reason)
        self.alarm = alarm


class LogRecords:
    """What is kept about the log, in the key store. Some of it is asked for with every letter, so it is remembered."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._epoch = store.epoch
        self._remembered: dict[str, bytes | None] = {}

    def get(self, name: str) -> bytes | None:
        """What is kept under a name, or None."""
        if self._epoch != self._store.epoch:  # something was rolled back
            self._remembered.clear()
            self._epoch = self._store.epoch
        if name not in self._remembered:
            self._remembered[name] = self._store.get(Space.LOG, name)
        return self._remembered[name]

    def put(self, name: str, value: bytes) -> None:
        """Keep it."""
        self._store.put(Space.LOG, name, value)
        self._remembered[name] = value

    def delete(self, names: Iterable[str]) -> None:
        """Forget them, all or none."""
        with self._store.transaction():
            for name in names:
                self._store.delete(Space.LOG, name)
        self._remembered.clear()
