"""The relay's own rows, read with SQLite alone, to compare with what it has handed out."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from blindrelay.policies.records import AccessRecord, Record, SubscriberRecord, TrafficRecord
from blindrelay.proofs.evidence.folder import Evidence

_EPOCH: Final = date(1970, 1, 1)
_HOUR: Final = 3_600
#: The moments at which everything is there that was ever handed out.
_LOOKED_AT: Final = ("waiting", "delivered", "expired")


def read(path: Path, query: str, arguments: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Rows of a database; none when it cannot be read."""
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database,
    ):
        return list(database.execute(query, arguments))
    return []


class Rows:
    """Subscribers, connections and traffic, as they were while authorities asked."""

    def __init__(self, evidence: Evidence) -> None:
        self._devices: dict[int, tuple[Any, ...]] = {}
        self._access: set[tuple[Any, ...]] = set()
        self._traffic: dict[str, tuple[Any, ...]] = {}
        for moment in _LOOKED_AT:
            path = evidence.disk(moment) / "relay.db"
            if path.exists():
                self._take(path)

    def _take(self, path: Path) -> None:
        for row in read(
            path,
            "SELECT account_id, device.tenant, user, device, jurisdiction, tenant.registered_day, device.registered_day, "
            "last_seen_day FROM device JOIN tenant ON tenant.name = device.tenant",
        ):
            self._devices[row[0]] = row
        self._access |= set(
            read(path, "SELECT account_id, opened_hour, address, client_version, closed_hour FROM access")
        )
        for row in read(path, "SELECT message_id, sender_id, recipient_id, accepted_at, size FROM traffic"):
            self._traffic[bytes(row[0]).hex()] = row[1:]

    def account_of(self, device: str) -> int | None:
        """The account number of a device."""
        for number, row in self._devices.items():
            if f"{row[1]}/{row[2]}/{row[3]}" == device:
                return number
        return None

    def accounts_of(self, targets: set[str]) -> set[int]:
        """The account numbers of users (`bob@globex.example`) and devices."""
        return {
            number
            for number, row in self._devices.items()
            if f"{row[2]}@{row[1]}" in targets or f"{row[1]}/{row[2]}/{row[3]}" in targets
        }

    def unexplained(self, record: Record) -> Iterator[str]:
        """What of a record is not as it is in the tables."""
        match record:
            case SubscriberRecord():
                yield from self._subscriber(record)
            case AccessRecord():
                yield from self._connection(record)
            case TrafficRecord():
                yield from self._message(record)

    def _subscriber(self, record: SubscriberRecord) -> Iterator[str]:
        row = self._devices.get(record.account_id)
        if row is None:
            yield f"account {record.account_id} is nobody's"
            return
        days = [None if each is None else _EPOCH + timedelta(days=each) for each in row[5:]]
        found = (record.tenant, record.user, record.device, record.jurisdiction)
        if found != row[1:5] or [record.tenant_registered, record.registered] != days[:2]:
            yield f"account {record.account_id} is not as it is in the tables: {record!r:.200}"
        if record.last_seen is not None and (days[2] is None or record.last_seen > days[2]):
            yield f"account {record.account_id} was last seen on {record.last_seen}, which it was not"

    def _connection(self, record: AccessRecord) -> Iterator[str]:
        opened = int(record.opened.timestamp())
        closed = None if record.closed is None else int(record.closed.timestamp()) // _HOUR
        start = (record.account_id, opened // _HOUR, str(record.address), record.client_version)
        if opened % _HOUR or not any((*start, end) in self._access for end in {closed, None, *self._ends(start)}):
            yield f"a connection of account {record.account_id} at {record.opened} that is not in the tables"

    def _ends(self, start: tuple[object, ...]) -> set[object]:
        return {row[4] for row in self._access if row[:4] == start}

    def _message(self, record: TrafficRecord) -> Iterator[str]:
        row = self._traffic.get(record.message_id)
        accepted = int(record.accepted.timestamp())
        if row is None or row != (record.sender_id, record.recipient_id, accepted, record.size):
            at = "nothing" if row is None else datetime.fromtimestamp(row[2], UTC).isoformat()
            yield f"message {record.message_id} at {record.accepted.isoformat()}, {record.size} bytes; the tables have {at}"
