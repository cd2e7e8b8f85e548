"""What a granted demand selects: records of named accounts, of granted classes, inside the granted window. Nothing else.

A record is inside the window when its time is, as exact as that is kept: traffic by its second, a connection by the hour in
which it began. What happened outside is left out of a record that is inside: the end of a connection, the day on which a
device was last seen. Somebody else's account is a number, as in the record; the package does not say whose.

The tables are read through the reader that can see metadata alone (`blindrelay.relay.store.metadata`), in pieces: while a
reader looks, the WAL cannot be emptied.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import sqlalchemy
from sqlalchemy import case, func, select

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.request import Target, TargetFormat, Timespan
from blindrelay.policies.vocabulary import DataClass
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.desk.errors import DeskError
from blindrelay.relay.ledger import DAY, HOUR, Window, last_seen_day, pieces
from blindrelay.relay.store import tables

# Rows that one look goes through: 10 to 20 ms when all of them are wanted.
PIECE: Final = 20_000

_tenant, _device, _access, _traffic = (t.c for t in (tables.tenant, tables.device, tables.access, tables.traffic))

#: Where each disclosable field of the inventory goes: field of the record. None: it orders the records and is not in them.
PLACES: Final[Mapping[str, tuple[str, str] | None]] = {
    "device.account_id": ("subscriber", "account_id"),
    "device.tenant": ("subscriber", "tenant"),
    "tenant.name": ("subscriber", "tenant"),
    "device.user": ("subscriber", "user"),
    "device.device": ("subscriber", "device"),
    "tenant.jurisdiction": ("subscriber", "jurisdiction"),
    "tenant.registered_day": ("subscriber", "tenant_registered"),
    "device.registered_day": ("subscriber", "registered"),
    "device.last_seen_day": ("subscriber", "last_seen"),
    "access.id": None,
    "access.account_id": ("access", "account_id"),
    "access.opened_hour": ("access", "opened"),
    "access.closed_hour": ("access", "closed"),
    "access.address": ("access", "address"),
    "access.client_version": ("access", "client_version"),
    "traffic.id": None,
    "traffic.message_id": ("traffic", "message_id"),
    "traffic.sender_id": ("traffic", "sender_id"),
    "traffic.recipient_id": ("traffic", "recipient_id"),
    "traffic.accepted_at": ("traffic", "accepted"),
    "traffic.size": ("traffic", "size"),
}


class Reader(Protocol):
    """Answers SELECTs over metadata: `blindrelay.relay.store.metadata.MetadataReader`."""

    @property
    def select(self) -> "Select":
        """Run a query and return all of its rows."""


class Select(Protocol):
    """See `Reader`."""

    def __call__(self, query: sqlalchemy.Select[Any] | sqlalchemy.TextClause) -> list[tuple[Any, ...]]:
        """The rows."""


class NotSelectable(DeskError):
    """A decision that nothing may be selected by: it discloses nothing, or is about everybody. It is never widened."""


@dataclass(frozen=True, slots=True)
class ClassSelection:
    """One data class: of which accounts, in which window."""

    data_class: DataClass
    accounts: tuple[int, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class Selection:
    """What one demand selects, in the order SUBSCRIBER, ACCESS, TRAFFIC."""

    classes: tuple[ClassSelection, ...]

    @property
    def accounts(self) -> frozenset[int]:
        """All accounts that any class is about."""
        return frozenset(account for item in self.classes for account in item.accounts)


@dataclass(frozen=True, slots=True)
class Piece:
    """The selected rows of a piece, and how many rows were gone through for them."""

    rows: list[Sequence[Any]]
    looked_at: int


_ORDER: Final = (DataClass.SUBSCRIBER, DataClass.ACCESS, DataClass.TRAFFIC)


def select_demand(decision: DemandDecision, reader: Reader, made_at: float) -> Selection:
    """What `decision` grants, of what existed at `made_at` (epoch seconds).

    Raises `NotSelectable`: it grants nothing, a class that cannot be in a package, a target that is no account, no window.
    """
    granted = [item for item in decision.classes if item.outcome.discloses]
    if not granted or not decision.outcome.discloses:
        raise NotSelectable("the decision discloses nothing")
    chosen = []
    for item in sorted(granted, key=lambda item: str(item.data_class)):
        if not item.data_class.is_metadata:
            raise NotSelectable(f"{item.data_class} is not metadata: no package has a place for it")
        if item.window is None:
            raise NotSelectable(f"{item.data_class} is granted without a window")
        accounts = accounts_of(item.targets, reader)
        chosen.append(ClassSelection(item.data_class, accounts, seconds(item.window, until=math.ceil(made_at))))
    return Selection(tuple(sorted(chosen, key=lambda item: _ORDER.index(item.data_class))))


def seconds(span: Timespan, *, until: int | None = None) -> Window:
    """The whole seconds in `span`, none of them at or after `until`."""
    since, end = math.ceil(span.start.timestamp()), math.ceil(span.end.timestamp())
    return Window(since, end if until is None else min(end, until))


def accounts_of(targets: Collection[Target], reader: Reader) -> tuple[int, ...]:
    """The accounts of named users and devices, revoked devices included; those that do not exist have none.

    Raises `NotSelectable` for any other target: a tenant or everybody is never looked up.
    """
    found: set[int] = set()
    for target in targets:
        found.update(row[0] for row in reader.select(_accounts(target)))
    return tuple(sorted(found))


def _accounts(target: Target) -> sqlalchemy.Select[Any]:
    query = select(_device.account_id)
    try:
        if target.format is TargetFormat.USER:
            user = UserAddress.parse(target.value)
            return query.where(_device.tenant == user.tenant, _device.user == user.user)
        if target.format is TargetFormat.DEVICE:
            device = DeviceAddress.parse(target.value)
            return query.where(
                _device.tenant == device.tenant, _device.user == device.user, _device.device == device.device
            )
    except Malformed:
        return query.where(sqlalchemy.false())  # what cannot be an address is nobody's
    raise NotSelectable(f"a target of format {target.format} is not an account")


def rows(chosen: ClassSelection, reader: Reader) -> Iterator[Piece]:
    """The columns of the selected records, piece by piece, in the order in which they were written.

    They are what `blindrelay.policies.package.KINDS` makes lines of. Each piece is read by itself, and no look is kept open.
    """
    if chosen.accounts and chosen.window.since < chosen.window.until:
        yield from _QUERIES[chosen.data_class](chosen, reader)


def count(chosen: ClassSelection, reader: Reader) -> int:
    """About how many rows will be gone through: what progress is measured by."""
    if chosen.data_class is DataClass.SUBSCRIBER:
        return len(chosen.accounts)
    first, last = _bounds(_table(chosen.data_class), reader)
    return last - first + 1


def _table(data_class: DataClass) -> sqlalchemy.Table:
    return tables.access if data_class is DataClass.ACCESS else tables.traffic


def _subscribers(chosen: ClassSelection, reader: Reader) -> Iterator[Piece]:
    until = chosen.window.until
    query = (
        select(
            _device.account_id,
            _device.tenant,
            _device.user,
            _device.device,
            _tenant.jurisdiction,
            _tenant.registered_day,
            _device.registered_day,
            _device.last_seen_day,
        )
        .join(tables.tenant, _tenant.name == _device.tenant)
        .where(_device.registered_day * DAY < until)
        .order_by(_device.account_id)
    )
    for start in range(0, len(chosen.accounts), PIECE):
        found = reader.select(query.where(_device.account_id.in_(chosen.accounts[start : start + PIECE])))
        yield Piece([(*row[:7], _seen_by(row[0], row[7], until)) for row in found], len(found))


def _seen_by(account_id: int, day: int | None, until: int) -> int | None:
    return None if day is None or day > last_seen_day(account_id, until - 1) else day


def _connections(chosen: ClassSelection, reader: Reader) -> Iterator[Piece]:
    window = chosen.window
    ended = case((_access.closed_hour * HOUR < window.until, _access.closed_hour), else_=None)
    query = (
        select(_access.account_id, _access.opened_hour, ended, _access.address, _access.client_version)
        .where(_access.account_id.in_(chosen.accounts))
        .where(_access.opened_hour * HOUR >= window.since, _access.opened_hour * HOUR < window.until)
        .order_by(_access.id)
    )
    yield from _in_pieces(query, tables.access, reader)


def _messages(chosen: ClassSelection, reader: Reader) -> Iterator[Piece]:
    window = chosen.window
    query = (
        select(_traffic.message_id, _traffic.sender_id, _traffic.recipient_id, _traffic.accepted_at, _traffic.size)
        .where(_traffic.accepted_at >= window.since, _traffic.accepted_at < window.until)
        .where(_traffic.sender_id.in_(chosen.accounts) | _traffic.recipient_id.in_(chosen.accounts))
        .order_by(_traffic.id)
    )
    yield from _in_pieces(query, tables.traffic, reader)


def _in_pieces(query: sqlalchemy.Select[Any], table: sqlalchemy.Table, reader: Reader) -> Iterator[Piece]:
    """All of the table is gone through: an index over accounts or times would cost every message."""
    for first, last in pieces(*_bounds(table, reader), PIECE):
        yield Piece([*reader.select(query.where(table.c.id.between(first, last)))], last - first + 1)


def _bounds(table: sqlalchemy.Table, reader: Reader) -> tuple[int, int]:
    # Two scalar subqueries: SQLite answers each from an end of the table.
    lowest, highest = (select(function(table.c.id)).scalar_subquery() for function in (func.min, func.max))
    ((first, last),) = reader.select(select(lowest, highest))
    return (0, -1) if first is None else (first, last)


_QUERIES: Final = {
    DataClass.SUBSCRIBER: _subscribers,
    DataClass.ACCESS: _connections,
    DataClass.TRAFFIC: _messages,
}
