"""A small relay's database, orders about it, and an authority that gets packages."""

import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from cryptography import x509

from blindrelay.clients.envelope import SealingKeyPair
from blindrelay.policies.decision import ClassDecision, DemandDecision
from blindrelay.policies.request import Approval, Authorisation, Target, TargetFormat, Timespan
from blindrelay.policies.vocabulary import (
    METADATA,
    AuthorityKind,
    DataClass,
    Outcome,
    Purpose,
    TaskStatus,
    Urgency,
)
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.ports import PackageOrder
from blindrelay.relay.ledger import DAY, HOUR
from blindrelay.relay.store import tables
from blindrelay.relay.store.engine import Store

from .ledgered import Calendar

NOW = 1_700_000_000
#: Who is enrolled, in the order of their account ids, from 1.
PEOPLE = (("bob", "phone"), ("bob", "laptop"), ("ann", "phone"), ("eve", "phone"))
TENANT = "globex.example"


def at(seconds: float) -> datetime:
    """Epoch seconds as a time."""
    return datetime.fromtimestamp(seconds, UTC)


def span(since: float, until: float) -> Timespan:
    """From epoch seconds."""
    return Timespan(start=at(since), end=at(until))


WEEK = span(NOW - 7 * DAY, NOW)


def user(name: str) -> Target:
    return Target(format=TargetFormat.USER, value=f"{name}@{TENANT}")


def device(name: str, device: str = "phone") -> Target:
    return Target(format=TargetFormat.DEVICE, value=f"{TENANT}/{name}/{device}")


def enrol(store: Store, *, registered_day: int = 19_000, last_seen_day: int | None = None) -> None:
    """Enrol `PEOPLE`."""

    def write(connection: sqlalchemy.Connection) -> None:
        connection.execute(sqlalchemy.insert(tables.tenant).values(name=TENANT, root=b"", registered_day=18_000))
        for number, (name, kind) in enumerate(PEOPLE, 1):
            values = {
                "account_id": number,
                "tenant": TENANT,
                "user": name,
                "device": kind,
                "registered_day": registered_day,
            }
            connection.execute(
                sqlalchemy.insert(tables.device).values(certificate=b"", last_seen_day=last_seen_day, **values)
            )

    _commit(store, write)


def add_traffic(store: Store, *messages: tuple[int | None, int, int]) -> None:
    """Messages as (sender, recipient, second of acceptance); their ids are made from their numbers."""

    def write(connection: sqlalchemy.Connection) -> None:
        start = connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.traffic)).scalar_one()
        for number, (sender, recipient, accepted) in enumerate(messages, start + 1):
            connection.execute(
                sqlalchemy.insert(tables.traffic).values(
                    message_id=number.to_bytes(16, "big"),
                    sender_id=sender,
                    recipient_id=recipient,
                    accepted_at=accepted,
                    size=2_048,
                )
            )

    _commit(store, write)


def add_connections(store: Store, *connections: tuple[int, int, int | None]) -> None:
    """Connections as (account, second of the start, second of the end or None)."""

    def write(connection: sqlalchemy.Connection) -> None:
        for account, opened, closed in connections:
            connection.execute(
                sqlalchemy.insert(tables.access).values(
                    account_id=account,
                    opened_hour=opened // HOUR,
                    closed_hour=None if closed is None else closed // HOUR,
                    address="2001:db8::1" if account % 2 else "192.0.2.7",
                    client_version="blindrelay/0.1",
                )
            )

    _commit(store, write)


def _commit(store: Store, write: Any) -> None:
    for result in store.commit([], [], [write]).results:
        if isinstance(result, BaseException):
            raise result


def many_messages(database: Path, number: int, *, since: int = NOW - DAY) -> None:
    """Put `number` messages of account 1 into a database that nobody has open, over an hour."""
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 WHERE ? UNION ALL SELECT i + 1 FROM n LIMIT ?) "
            "INSERT INTO traffic (message_id, sender_id, recipient_id, accepted_at, size) "
            "SELECT randomblob(16), 1, 3, ? + i * 3600 / ?, 2048 FROM n",
            (number, number, since, number),
        )
    connection.close()


def decision(*targets: Target, classes: frozenset[DataClass] = METADATA, window: Timespan = WEEK) -> DemandDecision:
    """Grants these classes of these targets."""
    granted = tuple(
        ClassDecision(item, Outcome.GRANTED, None, TaskStatus.AWAITING_DISCLOSURE, targets, window, ())
        for item in sorted(classes)
    )
    return DemandDecision("d1", Outcome.GRANTED, None, TaskStatus.AWAITING_DISCLOSURE, granted, ())


AUTHORISATION = Authorisation(
    reference="2023-17",
    instrument="us/d-order",
    jurisdiction="us",
    timespan=span(NOW - 30 * DAY, NOW + 30 * DAY),
    approvals=[Approval(role=AuthorityKind.JUDGE, name="A. Judge", reference="17", timestamp=at(NOW - DAY))],
    urgency=Urgency.ROUTINE,
    non_disclosure=None,
    purpose=Purpose.INVESTIGATE,
    offence_max_years=None,
)


@dataclass
class Desk:
    """A relay's identity, and the authority that packages are for."""

    folder: Path
    identity: DeskIdentity = field(init=False)
    key: SealingKeyPair = field(default_factory=SealingKeyPair.generate, repr=False)

    def __post_init__(self) -> None:
        self.identity = DeskIdentity.open(self.folder, Calendar(datetime.now(UTC).timestamp()))

    @property
    def certificate(self) -> x509.Certificate:
        return self.identity.certificate

    def order(self, granted: DemandDecision, **changes: Any) -> PackageOrder:
        """An order for its package."""
        values: dict[str, Any] = {
            "case_id": "0d8f4a1e-5b7f-4a3c-9b51-3d2a6c7e8f90",
            "demand_id": granted.demand_id,
            "decision": granted,
            "authorisation": AUTHORISATION,
            "authority_id": "police",
            "authority_name": "Police",
            "request_id": "6f1e2d3c-0000-4000-8000-000000000001",
            "package_key": self.key.public,
            "made_at": at(NOW),
        }
        return PackageOrder(**{**values, **changes})


def later(days: float) -> datetime:
    """So many days after `NOW`."""
    return at(NOW) + timedelta(days=days)
