"""Everything the oracle is given: what clients wrote down, what the nemesis did, what the store holds afterwards."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from blindrelay.proofs.chaos.journal import Entry, Kind


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that was done on purpose between two moments (monotonic seconds)."""

    what: str
    start: float
    end: float
    severs: bool = False  # may end connections
    delays: bool = False  # may hold bytes, or the relay, back
    client: str = ""  # the one it concerns; empty: all


@dataclass(frozen=True, slots=True)
class StoreView:
    """What the relay's database holds after the run, by message id."""

    envelopes: frozenset[str] = frozenset()
    traffic: Mapping[str, int] = field(default_factory=Counter)  # id -> number of traffic records
    damage: tuple[str, ...] = ()  # what the integrity check complains of
    # Payloads that are in the files at all, be it in free pages or in the WAL: sender, recipient, number.
    remains: frozenset[tuple[str, str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Level:
    """What one relay process takes."""

    resident: int  # bytes
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class History:
    """One run. `produced_until` is when the senders stopped, `end` when the quiet period was over."""

    entries: tuple[Entry, ...]
    disturbances: tuple[Disturbance, ...]
    store: StoreView | None  # None: nobody may look into it
    produced_until: float
    end: float
    before: Level | None = None  # of the last process, with nobody connected; None: not measured
    after: Level | None = None


@dataclass(slots=True)
class Message:
    """All that is known about one message id."""

    message_id: str
    sender: str = ""
    recipient: str = ""
    number: int = 0
    digest: str = ""
    ttl: int | None = None
    intents: list[Entry] = field(default_factory=list)
    acked: list[Entry] = field(default_factory=list)
    refused: list[Entry] = field(default_factory=list)
    unknown: list[Entry] = field(default_factory=list)
    wires: list[Entry] = field(default_factory=list)
    handed: list[Entry] = field(default_factory=list)
    confirmed: list[Entry] = field(default_factory=list)
    late: list[Entry] = field(default_factory=list)

    def learn(self, entry: Entry) -> None:
        """Add an entry; the first intent says what the message is."""
        if entry.kind is Kind.INTENT and not self.intents:
            self.sender, self.recipient, self.number = entry.client, entry.recipient, entry.number
            self.digest, self.ttl = entry.digest, entry.ttl
        heap: dict[Kind, list[Entry]] = {
            Kind.INTENT: self.intents,
            Kind.ACKED: self.acked,
            Kind.REFUSED: self.refused,
            Kind.UNKNOWN: self.unknown,
            Kind.WIRE: self.wires,
            Kind.HANDED: self.handed,
            Kind.CONFIRMED: self.confirmed,
            Kind.LATE: self.late,
        }
        heap[entry.kind].append(entry)

    @property
    def certainly_refused(self) -> bool:
        """Whether no attempt can have been accepted."""
        return bool(self.refused) and not self.acked and not self.unknown


def messages(entries: Iterable[Entry]) -> dict[str, Message]:
    """Entries by message id, in the order in which the ids were first seen."""
    found: dict[str, Message] = {}
    for entry in entries:
        if entry.message_id:
            found.setdefault(entry.message_id, Message(entry.message_id)).learn(entry)
    return found


def by_client(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries by client, each in order."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.client, []).append(entry)
    return found


def postponed(moment: float, disturbances: Iterable[Disturbance], client: str, grace: float) -> float:
    """`moment` moved behind every delay that reaches into it, `grace` seconds after each for catching up."""
    for each in sorted(disturbances, key=lambda each: each.start):
        if each.delays and each.client in {"", client} and each.start <= moment + grace and each.end + grace > moment:
            moment = each.end + grace
    return moment
