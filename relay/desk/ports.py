"""What the desk asks of the rest of the relay. Each order has a key, `<case>/<demand>`; giving one twice is harmless.

The desk writes down what it is about to do, and then does it through one of these. After a crash it does it again: so every
port is idempotent by key, and an order that memory holds (a stream, a preservation) is given again at each start.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.request import Authorisation, Target, Timespan
from blindrelay.policies.stream import StreamEvent
from blindrelay.policies.vocabulary import DataClass, ServiceAction


@dataclass(frozen=True, slots=True)
class Order:
    """What every order says: whose case it is and what was decided."""

    case_id: str
    demand_id: str
    decision: DemandDecision
    authorisation: Authorisation
    authority_id: str
    authority_name: str

    @property
    def key(self) -> str:
        """Its name, for ever."""
        return f"{self.case_id}/{self.demand_id}"


@dataclass(frozen=True, slots=True)
class PackageOrder(Order):
    """Make the package of a granted demand. `package_key` is the authority's public HPKE key (X-Wing)."""

    request_id: str = ""
    package_key: bytes = field(default=b"", repr=False)
    made_at: datetime = datetime.min  # noqa: DTZ901 - always given


@dataclass(frozen=True, slots=True)
class PackageDigest:
    """A sealed package: SHA-256 of the file in hex, its size in bytes, and how many records of each class are in it.

    `accounts`: the numbers of the accounts that it has records of, for their notices.
    """

    digest: str
    size: int
    records: Mapping[DataClass, int]
    accounts: frozenset[int] = frozenset()
    #: SHA-256 of the manifest in hex: the same whenever the package is written again from the same metadata.
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class Making:
    """How far a package is that is being made: how many records have been gone through, of about how many."""

    done: int
    of: int


class Packages(Protocol):
    """`package`: makes sealed packages."""

    def write(self, order: PackageOrder, out: Path) -> PackageDigest:
        """Write the package to `out`, which does not exist, and sync it. Called in a thread of its own."""

    def making(self, key: str) -> Making | None:
        """How far the package of this key is; None when it is not being made."""


@dataclass(frozen=True, slots=True)
class PreservationOrder(Order):
    """Keep what exists of these classes, for these targets, from retention until `until`."""

    classes: frozenset[DataClass] = frozenset()
    targets: tuple[Target, ...] = ()
    window: Timespan | None = None
    until: datetime = datetime.max  # noqa: DTZ901 - always given
    #: From when on the users may be told that something is kept for longer; None: not while the order lasts.
    tell_from: datetime | None = None


class Preservation(Protocol):
    """`preservation`: exempts exactly the targets of an order from retention."""

    async def hold(self, order: PreservationOrder) -> None:
        """Begin, or prolong the order of the same key."""

    async def let_go(self, key: str) -> None:
        """End; what retention would have deleted goes at its next run."""


@dataclass(frozen=True, slots=True)
class StreamOrder(Order):
    """Pass records on as they arise, for these targets, in `span`, to the second."""

    classes: frozenset[DataClass] = frozenset()
    targets: tuple[Target, ...] = ()
    span: Timespan | None = None


class Streams(Protocol):
    """`stream`: real-time orders. They stop by themselves at the end of their span."""

    async def begin(self, order: StreamOrder) -> None:
        """Tap from the start of the span on."""

    async def end(self, key: str) -> None:
        """Stop, though the span has not ended."""

    def follow(self, key: str, after: str | None = None) -> AsyncIterator[StreamEvent]:
        """The records of an order that has begun; ends, with a `StreamEnd`, when the order does.

        `after`: the position of the last event that the reader has; None: from the start of the span. An order has one reader:
        a new one ends the one before. Raises `NothingToFetch` (no such order) and `Malformed` (not a position) at once.
        """


@dataclass(frozen=True, slots=True)
class ServiceOrder(Order):
    """Suspend or resume the service in a jurisdiction, or move the date of that."""

    action: ServiceAction = ServiceAction.SUSPEND
    jurisdiction: str = ""
    effective: datetime = datetime.max  # noqa: DTZ901 - always given
    ordered_at: datetime = datetime.min  # noqa: DTZ901 - always given


class Services(Protocol):
    """`service`: the state of the service in each jurisdiction."""

    async def apply(self, order: ServiceOrder) -> None:
        """Carry it out."""


@dataclass(frozen=True, slots=True)
class NoticeOrder(Order):
    """Tell the users of these targets that records of these classes, of this window, were disclosed."""

    classes: frozenset[DataClass] = frozenset()
    targets: tuple[Target, ...] = ()
    window: Timespan | None = None
    disclosed_at: datetime = datetime.min  # noqa: DTZ901 - always given


class Notices(Protocol):
    """`notices`: signed notices on users' devices."""

    async def give(self, order: NoticeOrder) -> int:
        """Put the notice where each device of the targets finds it; returns for how many accounts."""
