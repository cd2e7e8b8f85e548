"""What a device wants of the log `directory`, and what it keeps about it."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from blindrelay.clients.errors import HistoryRejected
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
