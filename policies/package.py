"""A disclosure package: which files are in it, what their lines look like, and the manifest that is signed.

Shared by the relay, which writes packages, and the authority's client, which opens them. Closed like the records: there is no
place for a sentence, for bytes or for a key that is not declared. See docs/reference/disclosure-package.md.

    package   = sealed stream (`blindrelay.protocol.sealing`) of frames
    frame     = number of the file (1 byte) | length (4 bytes, big endian) | as many bytes of that file
    signature = ECDSA P-256 with SHA-256, DER, over "blindrelay/disclosure-package/1" || 0 || manifest.json

The frames of a file are in its order; those of several files alternate, so that JSON and CSV are written in one go through the
records. The manifest's frame is the last but one, the signature's the last.
"""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from blindrelay.policies.records import AccessRecord, AccountId, Record, SubscriberRecord, TrafficRecord
from blindrelay.policies.vocabulary import DataClass

#: What packages are sealed for: see `protocol.sealing.sealing_info`.
PURPOSE: Final = b"blindrelay/disclosure-package/1"
FRAME: Final = struct.Struct(">BI")
#: No frame holds more.
MAX_FRAME: Final = 1_048_576

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
DemandId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
InstrumentId = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}/[a-z0-9][a-z0-9-]{0,60}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class FileName(StrEnum):
    """The files that there can be, in the order of their numbers."""

    MANIFEST = "manifest.json"
    SIGNATURE = "manifest.sig"
    SUBSCRIBER_JSON = "subscriber.ndjson"
    SUBSCRIBER_CSV = "subscriber.csv"
    ACCESS_JSON = "access.ndjson"
    ACCESS_CSV = "access.csv"
    TRAFFIC_JSON = "traffic.ndjson"
    TRAFFIC_CSV = "traffic.csv"


NUMBERS: Final = {name: number for number, name in enumerate(FileName)}


class FileEntry(Record):
    """A file: how long it is, in bytes and in records (a CSV file has a line more), and the SHA-256 of it."""

    name: FileName
    size: Count
    records: Count
    sha256: Digest


class ClassEntry(Record):
    """What was selected of one data class: records of these accounts with a time from `since` up to and without `until`."""

    data_class: DataClass
    accounts: tuple[AccountId, ...]
    since: datetime
    until: datetime
    records: Count


class Manifest(Record):
    """What is in a package, why, from whom and for whom. Its bytes are canonical JSON: `canonical`.

    Nothing in it depends on chance or on the moment of writing, so that a package that is written again says the same.
    """

    format: Literal["blindrelay-disclosure-package-1"] = "blindrelay-disclosure-package-1"
    case: UUID
    request: UUID
    demand: DemandId
    instrument: InstrumentId
    #: The demand was decided, and what was selected existed, at this moment.
    made: datetime
    #: SHA-256 of the recipient's X-Wing public key: a package that was sealed again for somebody else says so.
    recipient: Digest
    #: SHA-256 of the relay's certificate, DER: whose signature this is.
    relay: Digest
    classes: tuple[ClassEntry, ...]
    files: tuple[FileEntry, ...]


def canonical(model: Record) -> bytes:
    """The one form that a record or manifest has as JSON: keys sorted, no spaces, times in UTC (compare RFC 8785)."""
    values = model.model_dump(mode="json")
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def signed_bytes(manifest: bytes) -> bytes:
    """What the relay signs."""
    return PURPOSE + b"\0" + manifest


# The lines: of a record, one of JSON and one of CSV, without line ends. Of traffic there may be millions, so that its lines are
# put together from the columns; tests hold them to `canonical` of the record. Each value is a number, a time or hex.

Row = Sequence[Any]
Lines = tuple[str, str]

_EPOCH: Final = date(1970, 1, 1)
_HOUR: Final = 3_600


def moment(seconds: int) -> datetime:
    """Epoch seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=4_096)
def _text(seconds: int) -> str:
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def lines(record: Record, fields: Sequence[str]) -> Lines:
    """Of any record; `fields` are the CSV file's columns."""
    line = canonical(record)
    values = json.loads(line)
    return line.decode(), ",".join("" if values[name] is None else str(values[name]) for name in fields)


def subscriber(row: Row) -> SubscriberRecord:
    """From (account id, tenant, user, device, jurisdiction or None, tenant's day, day of enrolment, last day or None)."""
    return SubscriberRecord(
        account_id=row[0],
        tenant=row[1],
        user=row[2],
        device=row[3],
        jurisdiction=row[4],
        tenant_registered=_day(row[5]),
        registered=_day(row[6]),
        last_seen=None if row[7] is None else _day(row[7]),
    )


def access(row: Row) -> AccessRecord:
    """From (account id, hour of the start, hour of the end or None, address, client version or None)."""
    return AccessRecord(
        account_id=row[0],
        opened=moment(row[1] * _HOUR),
        closed=None if row[2] is None else moment(row[2] * _HOUR),
        address=row[3],
        client_version=row[4],
    )


def traffic(row: Row) -> TrafficRecord:
    """From (message id, sender's account id or None, recipient's, second of acceptance, size)."""
    return TrafficRecord(
        message_id=row[0].hex(), sender_id=row[1], recipient_id=row[2], accepted=moment(row[3]), size=row[4]
    )


def traffic_lines(row: Row) -> Lines:
    """Of the row that `traffic` takes."""
    message_id, sender, recipient, accepted_at, size = row
    number, accepted = message_id.hex(), _text(accepted_at)
    json_sender, csv_sender = ("null", "") if sender is None else (sender, sender)
    line = (
        f'{{"accepted":"{accepted}","message_id":"{number}","recipient_id":{recipient},"record":"traffic",'
        f'"sender_id":{json_sender},"size":{size}}}'
    )
    return line, f"{number},{csv_sender},{recipient},{accepted},{size}"


_SUBSCRIBER: Final = (
    "account_id", "tenant", "user", "device", "jurisdiction", "tenant_registered", "registered", "last_seen",
)  # fmt: skip
_ACCESS: Final = ("account_id", "opened", "closed", "address", "client_version")
_TRAFFIC: Final = ("message_id", "sender_id", "recipient_id", "accepted", "size")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a data class is in a package. `fields` are the columns of its CSV file."""

    model: type[SubscriberRecord] | type[AccessRecord] | type[TrafficRecord]
    json_file: FileName
    csv_file: FileName
    fields: tuple[str, ...]
    lines: Callable[[Row], Lines]


KINDS: Final[dict[DataClass, Kind]] = {
    DataClass.SUBSCRIBER: Kind(
        SubscriberRecord,
        FileName.SUBSCRIBER_JSON,
        FileName.SUBSCRIBER_CSV,
        _SUBSCRIBER,
        lambda row: lines(subscriber(row), _SUBSCRIBER),
    ),
    DataClass.ACCESS: Kind(
        AccessRecord, FileName.ACCESS_JSON, FileName.ACCESS_CSV, _ACCESS, lambda row: lines(access(row), _ACCESS)
    ),
    DataClass.TRAFFIC: Kind(TrafficRecord, FileName.TRAFFIC_JSON, FileName.TRAFFIC_CSV, _TRAFFIC, traffic_lines),
}
