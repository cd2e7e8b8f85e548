"""A batch of envelopes as one SQL statement.

Why one: `sqlite3` lets go of the GIL for each step of a statement and must get it back afterwards. While the event loop is
busy, getting it back takes up to the interpreter's switch interval (5 ms), and `executemany` steps once per row. Measured
on 2 cores, fsync 0.2 ms, plain rows (see `layout`), 256 messages of 1 KB each time (envelope, traffic record, ring row,
removal of an older envelope):

| how                                        | loop idle    | loop busy    | busy, switch interval 0.5 ms |
|--------------------------------------------|--------------|--------------|------------------------------|
| `executemany`, a table each                | 66,000 msg/s | 350 msg/s    | 4,800 msg/s (at 0.1 ms)      |
| rows from `json_each`, payloads in one blob| -            | 11,100 msg/s | -                            |
| multi-row `VALUES`, 64 rows, a table each  | 66,000 msg/s | 10,200 msg/s | -                            |
| this: one multi-row `VALUES` into a view   | 66,000 msg/s | 22,200 msg/s | 47,400 msg/s                 |

So a temporary view takes rows of one accepted envelope and one removal each, temporary triggers put them into the tables,
and outside a transaction the statement commits itself: the GIL is let go and taken back once per batch.
"""

from collections.abc import Sequence
from functools import cache
from itertools import zip_longest
from typing import Final

from blindrelay.relay.store.entries import Accepted
from blindrelay.relay.store.layout import FILLER, padded

_COLUMNS: Final = (
    "mailbox_id, sequence, message_id, accepted_at, expires_at, size, payload, sender_id, ring_owner, ring_slot, checksum, "
    "removed_mailbox, removed_sequence"
)

# 0 stands for "none" everywhere: `sqlite3` binds an int at a tenth of what None costs it.
SETUP: Final = (
    f"CREATE TEMP VIEW batch ({_COLUMNS}) AS SELECT 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
    f"""
    CREATE TEMP TRIGGER batch_accepted INSTEAD OF INSERT ON batch WHEN new.mailbox_id
    BEGIN
        INSERT INTO envelope (mailbox_id, sequence, message_id, accepted_at, expires_at, size, filler, payload)
        VALUES (new.mailbox_id, new.sequence, new.message_id, new.accepted_at, nullif(new.expires_at, 0), new.size,
                zeroblob({FILLER}), new.payload);
        INSERT INTO traffic (message_id, sender_id, recipient_id, accepted_at, size)
        VALUES (new.message_id, nullif(new.sender_id, 0), new.mailbox_id, new.accepted_at, new.size);
        INSERT OR REPLACE INTO recent_id (owner, slot, message_id, recipient, size, checksum, accepted_at)
        VALUES (new.ring_owner, new.ring_slot, new.message_id, new.mailbox_id, new.size, new.checksum, new.accepted_at);
    END
    """,  # noqa: S608 - constants alone
    """
    CREATE TEMP TRIGGER batch_removed INSTEAD OF INSERT ON batch WHEN new.removed_mailbox
    BEGIN
        DELETE FROM envelope WHERE mailbox_id = new.removed_mailbox AND sequence = new.removed_sequence;
    END
    """,
)

# Statements are prepared once for each of these lengths, and filled up with rows that mean nothing.
_LENGTHS: Final = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1_024)
MAX_ROWS: Final = _LENGTHS[-1]

_NO_ENVELOPE: Final = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_NO_REMOVAL: Final = (0, 0)
_NOTHING: Final = _NO_ENVELOPE + _NO_REMOVAL

Value = int | bytes


@cache
def _sql(length: int) -> str:
    row = f"({', '.join('?' * len(_NOTHING))})"
    return f"INSERT INTO batch ({_COLUMNS}) VALUES {', '.join([row] * length)}"  # noqa: S608 - constants alone


def statement(accepted: Sequence[Accepted], removed: Sequence[tuple[int, int]]) -> tuple[str, list[Value]]:
    """The statement that stores `accepted` and deletes `removed`, with its parameters. `MAX_ROWS` of each at most."""
    values: list[Value] = []
    for entry, removal in zip_longest(accepted, removed):
        values += _NO_ENVELOPE if entry is None else _row(entry)
        values += removal or _NO_REMOVAL
    count = max(len(accepted), len(removed))
    length = next(length for length in _LENGTHS if length >= count)
    values += _NOTHING * (length - count)
    return _sql(length), values


def _row(entry: Accepted) -> tuple[Value, ...]:
    return (
        entry.mailbox_id,
        entry.sequence,
        entry.message_id,
        entry.accepted_at,
        entry.expires_at or 0,
        len(entry.payload),
        padded(entry.payload),
        entry.sender_id or 0,
        entry.ring_owner,
        entry.ring_slot,
        entry.checksum,
    )
