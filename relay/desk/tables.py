"""The desk's own database: tables that only grow.

`case_event` holds everything that happened to a case, to the register, at the door. Each row carries the digest of the one
before it, whatever case that belongs to: a row that is changed, taken out or put in breaks the chain from there on. SQLite
itself refuses UPDATE and DELETE.
"""

from typing import Final

from sqlalchemy import (
    DDL,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
)

from blindrelay.relay.transparency.entries import log_table

#: Raised by one with every change that an older relay could not read. Kept in SQLite's `user_version`.
SCHEMA_VERSION: Final = 2

metadata = MetaData()

case_event = Table(
    "case_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", Text, nullable=False),  # or what is no case: see `journal.Subject`
    Column("sequence", Integer, nullable=False),  # within the case, from 1
    Column("authority_id", Text, nullable=False),  # whose case; empty for what is no case
    Column("at", Text, nullable=False),  # ISO 8601, UTC
    Column("step", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("once", Text, unique=True),  # what may happen once: a request, the serving of a signed fetch
    Column("previous", Text, nullable=False),  # digest of the row before, in hex
    Column("digest", Text, nullable=False),
    UniqueConstraint("case_id", "sequence"),
    Index("case_event_of_authority", "authority_id", "step", "at"),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

for _action in ("UPDATE", "DELETE"):
    event.listen(
        case_event,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER case_event_no_{_action.lower()} BEFORE {_action} ON case_event "
            "BEGIN SELECT RAISE(ABORT, 'a case file is only added to'); END"
        ),
    )

#: The log `lawful-access`: see `blindrelay.relay.transparency`.
log_entry = log_table("log_entry", metadata)

#: Of the commitments in it that are no decoys: which row each is of, its salt, and where it was told of.
log_opening = Table(
    "log_opening",
    metadata,
    Column("number", Integer, ForeignKey("log_entry.number"), primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("told_at", Integer),  # the index of the entry that tells of it; null: none does
    UniqueConstraint("case_id", "sequence"),
    sqlite_strict=True,
)

#: The calls that have been made at the door, so that none is made twice. Rows go when a call of that age is stale anyway.
seen_call = Table(
    "seen_call",
    metadata,
    Column("authority_id", Text, primary_key=True),
    Column("call_id", Text, primary_key=True),  # the call's `jti`
    Column("seen_at", Integer, nullable=False),  # seconds since the epoch
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
