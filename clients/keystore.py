"""Everything that a device must remember, in one encrypted file.

Ratchet state, processed message ids, outbox, contacts and history are in *one* store because they must change in *one*
transaction: a message is acknowledged to the relay only when its plaintext, its id and the ratchet that moved on are on
disk together, and is published only when the ratchet that made it and its bytes are.

Every value is sealed (see `vault`), every row key that would name somebody is a keyed hash. What the file shows to who
does not have the passphrase: how many rows of each kind there are, their sizes and order, and on which day ids were
processed. It does not resist being replaced as a whole by an older copy of itself: no file can.
"""

import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from blindrelay.clients.database import Database
from blindrelay.clients.errors import StoreDamaged
from blindrelay.clients.records import HistoryEntry, OutboxEntry
from blindrelay.clients.vault import Cost, Header, Vault
from blindrelay.protocol.sizes import MAX_TTL

# An id must be remembered as long as its envelope could come again. The envelope's own expiry is inside it and enforced,
# and nothing that expires later than this is let in (see `postroom`).
PROCESSED_FOR = 2 * MAX_TTL
_DAY = 86_400
# Letters that are read at once by who reads all of them: one may have sixteen megabytes.
_AT_ONCE = 16

_KEY_LENGTH = struct.Struct(">H")


class Space(IntEnum):
    """What a record is about. The numbers are on disk: never reuse one."""

    IDENTITY = 1
    ACCOUNT = 2
    SESSION = 3
    CONTACT = 4
    ROOT = 5
    VERIFIED = 6
    TOKEN = 7
    TRANSFER = 8
    UNREADABLE = 9
    SETTING = 10  # the application's own small values
    GROUP = 11  # the application's groups
    CONVERSATION = 12
    DISAPPEARING = 13
    ARRIVED = 14  # letters that the application has not taken yet
    NOTICE = 15  # what the relay told on its own account
    LOG = 16  # the relay's public log, as this device has seen it
    CLAIMED = 17  # prekeys that the relay has handed out


class KeyStore:
    """What a device remembers. One thread at a time (any thread), one process at a time.

    A write outside of a transaction is durable when it returns.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._sequences = {table: self._last_sequence(table) for table in ("outbox", "history")}

    @classmethod
    def create(cls, path: Path, passphrase: str, cost: Cost | None = None) -> Self:
        """Create the file, readable for its owner alone, and open it.

        Deriving the key takes about 0.1 s, on purpose: do it off the event loop where that matters.

        Raises:
            StoreFailed: the file exists, or cannot be written.
        """
        vault = Vault.new()
        header = vault.lock(passphrase, cost or Cost())
        database = Database.create(path)
        try:
            database.execute("INSERT INTO header VALUES (1, ?)", (header.model_dump_json().encode(),))
            return cls(database, vault)
        except BaseException:
            database.close()
            raise

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Open an existing file.

        Raises:
            NotEnrolled: there is none.
            WrongPassphrase, StoreInUse, StoreDamaged, StoreTooNew, StoreFailed
        """
        database = Database.open(path)
        try:
            return cls(database, Vault.unlock(_header(database, path), passphrase))
        except BaseException:
            database.close()
            raise

    @classmethod
    def in_memory(cls) -> Self:
        """A store that is gone when it is closed."""
        return cls(Database.in_memory(), Vault.new())

    def change_passphrase(self, passphrase: str, cost: Cost | None = None) -> None:
        """From now on the file opens with `passphrase` alone; the data key stays, and nothing else is written again."""
        header = self._vault.lock(passphrase, cost or Cost())
        self._database.execute("UPDATE header SET value = ?", (header.model_dump_json().encode(),))

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, durable on leaving; one inside another is a savepoint of it. Do not `await` inside."""
        return self._database.transaction()

    @property
    def epoch(self) -> int:
        """Rises whenever something was rolled back: whoever caches what is stored then drops the cache."""
        return self._database.epoch

    def key(self, purpose: str) -> bytes:
        """32 secret bytes for what encrypts by itself (the ratchet's pickles)."""
        return self._vault.key(purpose)

    # ---- values under a name

    def get(self, space: Space, key: str) -> bytes | None:
        """The value of `key`, or None; raise `StoreDamaged` when it was altered."""
        row = self._vault.row(space.name, key.encode())
        found = self._database.row("SELECT value FROM record WHERE space = ? AND row = ?", (space, row))
        return None if found is None else self._open_record(space, row, found[0])[1]

    def put(self, space: Space, key: str, value: bytes) -> None:
        """Set the value of `key`."""
        name = key.encode()
        row = self._vault.row(space.name, name)
        sealed = self._vault.seal(space.name, row, _KEY_LENGTH.pack(len(name)) + name + value)
        self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (space, row, sealed))

    def delete(self, space: Space, key: str) -> None:
        """Forget `key`."""
        row = self._vault.row(space.name, key.encode())
        self._database.execute("DELETE FROM record WHERE space = ? AND row = ?", (space, row))

    def items(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """All names and values of a space, in no order."""
        for row, sealed in self._database.rows("SELECT row, value FROM record WHERE space = ?", (space,)):
            yield self._open_record(space, row, sealed)

    def _open_record(self, space: Space, row: bytes, sealed: bytes) -> tuple[str, bytes]:
        value = self._vault.open(space.name, row, sealed)
        (length,) = _KEY_LENGTH.unpack_from(value)
        start = _KEY_LENGTH.size + length
        return value[_KEY_LENGTH.size : start].decode(), value[start:]

    # ---- message ids that were dealt with

    def was_processed(self, message_id: bytes) -> bool:
        """Whether an envelope with this id has been dealt with."""
        row = self._vault.row("processed", message_id)
        return self._database.row("SELECT 1 FROM processed WHERE row = ?", (row,)) is not None

    def mark_processed(self, message_id: bytes, now: float) -> None:
        """Remember the id for `PROCESSED_FOR` seconds. Twice is the same as once."""
        row = self._vault.row("processed", message_id)
        self._database.execute("INSERT OR IGNORE INTO processed VALUES (?, ?)", (row, int(now) // _DAY))

    def forget_processed(self, now: float) -> int:
        """Drop the ids that cannot come again; return how many. Once a day is enough."""
        oldest = (int(now) - PROCESSED_FOR) // _DAY
        return self._database.execute("DELETE FROM processed WHERE day < ?", (oldest,)).rowcount

    # ---- parts of letters that are not complete

    def add_part(self, transfer: str, number: int, data: bytes) -> None:
        """Keep a part; the same number again replaces it."""
        row = self._vault.row("part", transfer.encode())
        sealed = self._vault.seal("part", row + number.to_bytes(4), data)
        self._database.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?)", (row, number, sealed))

    def parts(self, transfer: str) -> list[bytes]:
        """The parts in order of their numbers."""
        row = self._vault.row("part", transfer.encode())
        found = self._database.rows("SELECT number, value FROM part WHERE transfer = ? ORDER BY number", (row,))
        return [self._vault.open("part", row + number.to_bytes(4), sealed) for number, sealed in found]

    def drop_parts(self, transfer: str) -> None:
        """Forget all parts of a transfer."""
        self._database.execute("DELETE FROM part WHERE transfer = ?", (self._vault.row("part", transfer.encode()),))

    # ---- outbox

    def enqueue(self, entry: OutboxEntry) -> OutboxEntry:
        """Put an envelope at the end of the outbox; return it with its sequence."""
        entry = replace(entry, sequence=self._next_sequence("outbox"))
        sealed = self._vault.seal("outbox", entry.sequence.to_bytes(8), entry.encode())
        self._database.execute("INSERT INTO outbox VALUES (?, ?)", (entry.sequence, sealed))
        return entry

    def outbox(self, after: int = 0, limit: int = 64) -> list[OutboxEntry]:
        """The envelopes that wait behind sequence `after`, oldest first. Up to 256 KiB each: ask for few at a time."""
        found = self._database.rows(
            "SELECT sequence, value FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        )
        return [OutboxEntry.decode(self._vault.open("outbox", n.to_bytes(8), sealed), n) for n, sealed in found]

    def dequeue(self, sequence: int) -> None:
        """The relay has it (or refused it for good): forget it."""
        self._database.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))

    # ---- history

    def add_history(self, entry: HistoryEntry) -> HistoryEntry:
        """Put a letter at the end of its conversation; return it with its sequence."""
        entry = replace(entry, sequence=self._next_sequence("history"))
        if self.get(Space.CONVERSATION, entry.conversation) is None:
            self.put(Space.CONVERSATION, entry.conversation, b"\1")
        if entry.disappears_at is not None:
            self.put(Space.DISAPPEARING, str(entry.sequence), entry.disappears_at.to_bytes(8))
        self._database.execute(
            "INSERT INTO history VALUES (?, ?, ?, ?)",
            (
                entry.sequence,
                self._vault.row("conversation", entry.conversation.encode()),
                self._vault.row("letter", entry.content_id),
                self._vault.seal("history", entry.sequence.to_bytes(8), entry.encode()),
            ),
        )
        return entry

    def replace_history(self, entry: HistoryEntry) -> None:
        """Overwrite the entry of that sequence; conversation, id and expiry stay what they were."""
        sealed = self._vault.seal("history", entry.sequence.to_bytes(8), entry.encode())
        self._database.execute("UPDATE history SET value = ? WHERE sequence = ?", (sealed, entry.sequence))

    def find_letter(self, content_id: bytes) -> list[HistoryEntry]:
        """All entries of a letter, oldest first: ids are their senders' choice, so check who sent it."""
        return self._history("WHERE letter = ? ORDER BY sequence", (self._vault.row("letter", content_id),))

    def find_history(self, conversation: str, content_id: bytes) -> HistoryEntry | None:
        """The first entry of a letter in a conversation, or None."""
        found = (entry for entry in self.find_letter(content_id) if entry.conversation == conversation)
        return next(found, None)

    def history(self, conversation: str, before: int | None = None, limit: int = 100) -> list[HistoryEntry]:
        """The last `limit` letters of a conversation, or the last before sequence `before`; oldest first."""
        row = self._vault.row("conversation", conversation.encode())
        entries = self._history(
            "WHERE conversation = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
            (row, 2**62 if before is None else before, limit),
        )
        return entries[::-1]

    def letters(self) -> Iterator[HistoryEntry]:
        """The letters of all conversations, newest first."""
        before = 2**62
        while some := self._history("WHERE sequence < ? ORDER BY sequence DESC LIMIT ?", (before, _AT_ONCE)):
            yield from some
            before = some[-1].sequence

    def conversations(self) -> list[str]:
        """The names of all conversations there have been, sorted."""
        return sorted(name for name, _ in self.items(Space.CONVERSATION))

    def remove_history(self, sequence: int) -> None:
        """Delete one entry; its bytes are overwritten."""
        with self.transaction():
            self._database.execute("DELETE FROM history WHERE sequence = ?", (sequence,))
            self.delete(Space.DISAPPEARING, str(sequence))

    def remove_disappeared(self, now: float) -> list[HistoryEntry]:
        """Delete the entries whose time is over at `now`; return them."""
        due = sorted(int(name) for name, value in self.items(Space.DISAPPEARING) if int.from_bytes(value) <= now)
        gone: list[HistoryEntry] = []
        with self.transaction():
            for sequence in due:
                gone += self._history("WHERE sequence = ?", (sequence,))
                self.remove_history(sequence)
        return gone

    def _history(self, condition: str, values: tuple[bytes | int, ...]) -> list[HistoryEntry]:
        found = self._database.rows(f"SELECT sequence, value FROM history {condition}", values)  # noqa: S608 (ours alone)
        return [HistoryEntry.decode(self._vault.open("history", n.to_bytes(8), sealed), n) for n, sealed in found]

    # ---- sequences: a number is never given twice, also when its row is gone and the process was restarted

    def _last_sequence(self, table: str) -> int:
        found = self._database.row("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        return 0 if found is None else int(found[0])

    def _next_sequence(self, table: str) -> int:
        self._sequences[table] += 1
        return self._sequences[table]


def _header(database: Database, path: Path) -> Header:
    found = database.row("SELECT value FROM header")
    if found is None:
        raise StoreDamaged(f"{path} was not completely created: remove it and enrol the device again")
    return Header.parse(found[0])
