"""What a client saw, written down by the harness as it happens: one append-only file of JSON lines per client.

The system under test writes none of it. All clients of a run live in one process, so that their times are comparable.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from blindrelay.protocol.clock import Clock


class Kind(StrEnum):
    """What happened."""

    KNOCKED = "knocked"  # a CONNECT is about to leave
    CONNECTED = "connected"  # CONNACK 0x00 arrived
    CLOSED = "closed"  # the connection is over; `own` says whether the client wanted that
    INTENT = "intent"  # a PUBLISH is about to leave; again for each retry
    ACKED = "acked"  # PUBACK below 0x80
    REFUSED = "refused"  # PUBACK from 0x80, the code with it
    UNKNOWN = "unknown"  # the connection died before the PUBACK
    WIRE = "wire"  # a PUBLISH arrived
    HANDED = "handed"  # the application has it
    CONFIRMED = "confirmed"  # our PUBACK for it has been written
    LATE = "late"  # the same, on a connection that another one of ours has taken over


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that one client saw. Which fields mean something depends on `kind`."""

    at: float  # monotonic seconds
    kind: Kind
    client: str
    connection: int  # the client's n-th
    message_id: str = ""  # 32 hexadecimal digits
    recipient: str = ""  # INTENT: whom it is for
    number: int = 0  # INTENT: n-th message of this pair
    digest: str = ""  # SHA-256 of the payload
    ttl: int | None = None  # INTENT: seconds asked for; WIRE: seconds left
    packet_id: int = 0
    dup: bool = False
    code: int = 0  # REFUSED, ACKED: of PUBACK; CLOSED: of DISCONNECT, 0 without one
    own: bool = False  # CLOSED: the client's doing
    resumed: bool = False  # CONNECTED: session present
    receive_max: int = 0  # CONNECTED: what the client asked for

    def to_json(self) -> str:
        """One line without what is at its default."""
        defaults = {field.name: field.default for field in fields(self)}
        return json.dumps({name: value for name, value in asdict(self).items() if value != defaults[name]})

    @classmethod
    def from_json(cls, line: str) -> Self:
        """The entry that `to_json` wrote."""
        values = json.loads(line)
        return cls(**values | {"kind": Kind(values["kind"])})


class Journal:
    """One client's file, and the same entries in memory."""

    def __init__(self, path: Path, client: str, clock: Clock) -> None:
        self.client = client
        self.entries: list[Entry] = []
        self._clock = clock
        self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def now(self) -> float:
        """The time that an entry written now would have."""
        return self._clock.monotonic()

    def close(self) -> None:
        """Close the file. The entries stay readable."""
        self._file.close()

    def write(  # noqa: PLR0913 - one keyword per field of an entry
        self,
        kind: Kind,
        connection: int,
        *,
        message_id: bytes = b"",
        recipient: str = "",
        number: int = 0,
        digest: str = "",
        ttl: int | None = None,
        packet_id: int = 0,
        dup: bool = False,
        code: int = 0,
        own: bool = False,
        resumed: bool = False,
        receive_max: int = 0,
    ) -> Entry:
        """Append what just happened and return it."""
        entry = Entry(
            self._clock.monotonic(),
            kind,
            self.client,
            connection,
            message_id.hex(),
            recipient,
            number,
            digest,
            ttl,
            packet_id,
            dup,
            code,
            own,
            resumed,
            receive_max,
        )
        self.entries.append(entry)
        self._file.write(entry.to_json() + "\n")
        return entry


def in_order(journals: Iterable[Iterable[Entry]]) -> tuple[Entry, ...]:
    """All entries of several clients by time; what happened at the same time stays in its client's order."""
    return tuple(sorted((entry for journal in journals for entry in journal), key=lambda entry: entry.at))


def load(folder: Path) -> tuple[Entry, ...]:
    """Every journal of a folder, in order."""
    return in_order(
        [Entry.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.glob("*.jsonl"))
    )
