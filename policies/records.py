"""The records that a disclosure package can hold: lock 3. Identifiers, times, counts, enumerations, addresses; nothing else.

A test walks these types and fails on free text, bytes, or an open mapping; another compares them with the metadata
inventory. Times are UTC and as coarse as they are kept.
"""

from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: Names are restricted to what an address can be: see `blindrelay.protocol.address`.
TenantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,253}$")]
LocalName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,64}$")]
MessageId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]{0,63}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
AccountId = Annotated[int, Field(ge=1)]


class Record(BaseModel):
    """Closed: a key that is not declared does not exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SubscriberRecord(Record):
    """Who is enrolled. One for each device of a target."""

    record: Literal["subscriber"] = "subscriber"
    account_id: AccountId
    tenant: TenantName
    user: LocalName
    device: LocalName
    jurisdiction: Country | None
    tenant_registered: date
    registered: date
    last_seen: date | None  #: of the account's own shifted day


class AccessRecord(Record):
    """A connection, in whole hours."""

    record: Literal["access"] = "access"
    account_id: AccountId
    opened: datetime
    closed: datetime | None
    address: IPv4Address | IPv6Address
    client_version: Version | None


class TrafficRecord(Record):
    """A message was accepted. `sender_id` is None when it was sent sealed."""

    record: Literal["traffic"] = "traffic"
    message_id: MessageId
    sender_id: AccountId | None
    recipient_id: AccountId
    accepted: datetime
    size: Annotated[int, Field(ge=1)]  #: padded, bytes
