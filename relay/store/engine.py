"""What the relay asks of whatever keeps its tables: `SqliteStore` and `PostgresStore` both answer.

It blocks and knows no event loop: `committer` owns the threads.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

import sqlalchemy

from blindrelay.relay.store.entries import Accepted, Committed, StoredEnvelope, Write
from blindrelay.relay.store.metadata import MetadataReader

T = TypeVar("T")


class Store(Protocol):
    """`commit`, `checkpoint`, `scrub` and `tidy` belong to one thread at a time; the others may be called from any."""

    @property
    def name(self) -> str:
        """What messages call it. No secret is in it."""

    def commit(
        self, accepted: Sequence[Accepted], removed: Sequence[tuple[int, int]], writes: Sequence[Write] = ()
    ) -> Committed:
        """Store `accepted`, delete `removed` and do `writes`; it is durable when this returns. `MAX_ROWS` of each at most.

        What became of each envelope is written into it: its `sequence`, or why it was refused. Each of `writes` fails alone.

        Raises:
            StoreFailed: nobody knows what has been written, and nothing can be promised any more. Do not go on.
        """

    def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        """The oldest envelopes of a mailbox with a sequence above `after_sequence`.

        At most `max_count`, and no more than `max_bytes` of payload in all, except that the first always comes.
        """

    def fetch_many(self, wanted: Sequence[tuple[int, int, int, int]]) -> list[list[StoredEnvelope]]:
        """The same for several mailboxes: each with what `fetch` is given."""

    def read(self, query: Callable[[sqlalchemy.Connection], T]) -> T:
        """Run `query` on a connection that reads what is committed and cannot write. Keep it short.

        Raises:
            StoreFailed: the database is damaged.
            StoreAway: it cannot be reached just now.
        """

    def metadata_reader(self) -> AbstractContextManager[MetadataReader]:
        """A reader that sees the columns that may be disclosed, and no other; closed on leaving."""

    @property
    def files(self) -> Mapping[str, Path]:
        """What it is on this machine's disk; nothing for a store that is elsewhere."""

    @property
    def wal_bytes(self) -> int:
        """How much has been written that `checkpoint` would bring to rest."""

    def checkpoint(self) -> bool:
        """See to it that nothing is left of what was removed, as far as that is the store's to do. False: try again later."""

    def scrub(self) -> None:
        """Let nothing be left of records that have been deleted, as far as that is the store's to do; before `tidy`."""

    def tidy(self) -> bool:
        """What there is to do when nothing else is, a checkpoint included. Whether all is done."""

    def close(self) -> None:
        """Close all connections."""
