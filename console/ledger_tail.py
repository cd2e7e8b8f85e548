"""What a relay keeps, as its operator can see it: the bytes on its disk, read without asking the relay.

The table of traffic only grows, so that what is new is what has a higher number; an envelope is there as long as it waits. The
database is looked at when it has changed, which SQLite tells for nothing (`PRAGMA data_version`).
"""

import asyncio
import sqlite3
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from blindrelay.console.channels import KEPT, Channel
from blindrelay.protocol.clock import Clock
from blindrelay.relay.inventory import FIELDS, Place

#: Between two looks, while somebody looks on, and otherwise. Seconds.
EVERY: Final = 0.05
IDLE: Final = 1.0
#: Of an envelope, so much is shown at once. Bytes.
SHOWN: Final = 96
# Read at one look: ten times what comes in between at the highest rate of the demonstration.
_AT_ONCE: Final = 500
# A console that is opened on a relay at work begins with so many records of before.
_RECENT: Final = 20
_RATE_SECONDS: Final = 5.0

#: The columns of a record as the inventory names them, in its order.
COLUMNS: Final = tuple(
    (entry.where.partition(".")[2], entry.name)
    for entry in FIELDS
    if entry.place is Place.DATABASE and entry.where.startswith("traffic.")
)
# The names are those of the inventory, which is code.
_RECORDS: Final = f"SELECT {', '.join(name for name, _ in COLUMNS)} FROM traffic WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
_WAITING: Final = "SELECT message_id, substr(payload, 1, size), size FROM envelope"
_IDS: Final = "SELECT message_id FROM envelope"


@dataclass(frozen=True, slots=True)
class Found:
    """What one look has found.

    Attributes:
        records: new ones, by column.
        envelopes: those that wait and had not been seen.
        waiting: the ids of all that wait.
    """

    records: tuple[dict[str, Any], ...] = ()
    envelopes: dict[bytes, bytes] = field(default_factory=dict, repr=False)
    waiting: frozenset[bytes] = frozenset()


class Disk:
    """The database, read only. It blocks: one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._database: sqlite3.Connection | None = None
        self._version = -1
        self._last: int | None = None
        self._seen: frozenset[bytes] = frozenset()
        self._accounts: dict[int, str] = {}

    def skip(self) -> None:
        """What is there by now is not news. Raises `sqlite3.Error`."""
        self._last = self._newest(self._open())

    def look(self) -> Found | None:
        """What is new; None when nothing has changed. Raises `sqlite3.Error`."""
        database = self._open()
        version = database.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return None
        self._version = version
        if self._last is None:
            self._last = max(0, self._newest(database) - _RECENT)
        rows = database.execute(_RECORDS, (self._last, _AT_ONCE)).fetchall()
        if len(rows) == _AT_ONCE:
            self._version = -1  # there is more
        records = tuple(dict(zip((name for name, _ in COLUMNS), row, strict=True)) for row in rows)
        if records:
            self._last = records[-1]["id"]
            self._learn(database, {row[key] for row in records for key in ("sender_id", "recipient_id")})
        waiting = frozenset(bytes(row[0]) for row in database.execute(_IDS))
        envelopes = {}
        if new := waiting - self._seen:
            rows = database.execute(_WAITING).fetchall()
            envelopes = {bytes(number): bytes(payload) for number, payload, _ in rows if bytes(number) in new}
        self._seen = waiting
        return Found(records, envelopes, waiting)

    @staticmethod
    def _newest(database: sqlite3.Connection) -> int:
        return int(database.execute("SELECT coalesce(max(id), 0) FROM traffic").fetchone()[0])

    def _learn(self, database: sqlite3.Connection, accounts: Iterable[int | None]) -> None:
        if all(account is None or account in self._accounts for account in accounts):
            return
        rows = database.execute('SELECT account_id, tenant, "user", device FROM device')
        self._accounts = {account: f"{tenant}/{user}/{device}" for account, tenant, user, device in rows}

    def account(self, number: int | None) -> str | None:
        """Whose account it is."""
        return None if number is None else self._accounts.get(number)

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = sqlite3.connect(
                f"file:{self._file}?mode=ro", uri=True, timeout=1, isolation_level=None, check_same_thread=False
            )
            self._version = -1
        return self._database

    def close(self) -> None:
        """Let go of the file: a relay that stops empties its journal, and nobody must hold it."""
        if self._database is not None:
            self._database.close()
            self._database = None


class LedgerTail:
    """Puts what is found into a channel: for each record one state, with the envelope while it waits.

    Args:
        folder: the relay's data directory.
        channel: where.
        is_up: whether the relay runs; its files are left alone when it does not.
        clock: for when an envelope was gone, and the rate.
    """

    def __init__(self, folder: Path, channel: Channel, is_up: Callable[[], bool], clock: Clock) -> None:
        self._disk = Disk(folder / "relay.db")
        self._channel = channel
        self._is_up = is_up
        self._clock = clock
        self._shown: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._envelopes: OrderedDict[bytes, bytes] = OrderedDict()
        self._total = 0
        self._lately: deque[tuple[float, int]] = deque()
        self._turn = asyncio.Lock()

    def envelope(self, message_id: bytes) -> bytes | None:
        """An envelope that was seen lately, whole."""
        return self._envelopes.get(message_id)

    async def forget(self) -> None:
        """Begin anew: what is there by now is not shown. Raises `sqlite3.Error`."""
        async with self._turn:
            await asyncio.to_thread(self._disk.skip)
            for message_id in self._shown:
                self._channel.remove(message_id.hex())
            self._shown.clear()
            self._lately.clear()
            self._total = 0

    async def work(self) -> None:
        """Look for ever. While the relay is away, or its files cannot be read, nothing is found."""
        try:
            while True:
                async with self._turn:
                    await self._look()
                await asyncio.sleep(EVERY if self._channel.listeners else IDLE)
        finally:
            self._disk.close()

    async def _look(self) -> None:
        if not self._is_up():
            self._disk.close()
            return
        try:
            found = await asyncio.to_thread(self._disk.look)
        except sqlite3.Error:
            self._disk.close()
        else:
            self._publish(found)

    def _publish(self, found: Found | None) -> None:
        if found is None:
            self._tell_rate(0)
            return
        for message_id, payload in found.envelopes.items():
            _keep(self._envelopes, message_id, payload)
        for record in found.records:
            message_id = record["message_id"]
            _keep(self._shown, message_id, self._described(record, found.envelopes.get(message_id)))
        for message_id, state in self._shown.items():
            waits = message_id in found.waiting
            if state["waits"] and not waits:
                state["gone_at"] = int(self._clock.now())
            if state["waits"] != waits or state["is_new"]:
                state["waits"], state["is_new"] = waits, False
                self._channel.put(message_id.hex(), state)
        self._total += len(found.records)
        self._tell_rate(len(found.records), len(found.waiting))

    def _described(self, record: dict[str, Any], payload: bytes | None) -> dict[str, Any]:
        sender, recipient = self._disk.account(record["sender_id"]), self._disk.account(record["recipient_id"])
        return {
            "kind": "record",
            "number": record["id"],
            "sender": sender,
            "recipient": recipient,
            "at": record["accepted_at"],
            "size": record["size"],
            "fields": [[label, self._legible(name, record[name])] for name, label in COLUMNS],
            "start": None if payload is None else payload[:SHOWN].hex(),
            "waits": payload is not None,
            "gone_at": None,
            "is_new": True,
        }

    def _legible(self, column: str, value: Any) -> str:
        match column, value:
            case _, None:
                return "none"
            case (("sender_id" | "recipient_id"), int(account)):
                return f"{account} ({self._disk.account(account)})"
            case "accepted_at", int(seconds):
                return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
            case _, bytes(data):
                return data.hex()
            case "size", int(size):
                return f"{size:,} bytes"
        return str(value)

    def _tell_rate(self, new: int, waiting: int | None = None) -> None:
        """How many there are in all, and a second."""
        now = self._clock.monotonic()
        self._lately.append((now, new))
        while self._lately[0][0] < now - _RATE_SECONDS:
            self._lately.popleft()
        rate = round(sum(count for _, count in self._lately) / _RATE_SECONDS, 1)
        before = self._channel.get("total") or {}
        state = {
            "kind": "total",
            "records": self._total,
            "waiting": before.get("waiting", 0) if waiting is None else waiting,
            "rate": rate,
        }
        if state != {key: before.get(key) for key in state}:
            self._channel.put("total", state, lasting=True)


def _keep(kept: OrderedDict[bytes, Any], key: bytes, value: Any) -> None:
    kept[key] = value
    if len(kept) > KEPT:
        kept.popitem(last=False)
