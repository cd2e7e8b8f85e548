"""What an observer of the relay has of each envelope; and, apart from it, what really happened, for judging the observer.

The observer is whoever has everything that the relay keeps and sees: its operator, or who has taken its place. What the relay
*keeps* (`traffic` in the metadata inventory) is less: times by the second, and no connections. `kept` makes one of the other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Seen:
    """An envelope, as the observer has it.

    Attributes:
        at: when the relay accepted it. Seconds, on any clock.
        sender: the device that sent it (`acme.example/alice/laptop`); None in the posture `sealed`.
        recipient: the device that it is for.
        size: of the envelope, padding and all. Bytes; 0 for an anonymous connection that brought none, whose recipient has no
            device.
        connection: which connection it came over, by any name; None for who knows nothing of connections.
    """

    at: float
    sender: str | None
    recipient: str
    size: int
    connection: str | None = None


class Kind(StrEnum):
    """What an envelope is for. The observer does not know."""

    LETTER = "letter"
    RECEIPT = "receipt"
    COPY = "copy"  # of a letter, for the sender's own other devices
    PROFILE = "profile"
    QUESTION = "question"  # no envelope: an anonymous connection that has only asked about somebody


@dataclass(frozen=True, slots=True)
class Truth:
    """What an envelope is.

    Attributes:
        sender: the device that it is from.
        kind: what it is for.
        length: of what is in it, before it is padded. Bytes.
        letter: which letter it belongs to: those of one letter, to all its recipients, have the same.
    """

    sender: str
    kind: Kind
    length: int
    letter: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passed. `seen` and `truth` go together, envelope by envelope, in the order of time."""

    seen: tuple[Seen, ...]
    truth: tuple[Truth, ...]

    @classmethod
    def of(cls, passed: Iterable[tuple[Seen, Truth]]) -> "Traffic":
        """Put it into the order of time."""
        ordered = sorted(passed, key=lambda each: each[0].at)
        return cls(tuple(seen for seen, _ in ordered), tuple(truth for _, truth in ordered))

    def __iter__(self) -> Iterator[tuple[Seen, Truth]]:
        return zip(self.seen, self.truth, strict=True)


def kept(seen: Iterable[Seen]) -> list[Seen]:
    """What the relay keeps of it, for 30 days: times by the second, no connections."""
    return [replace(each, at=float(int(each.at)), connection=None) for each in seen]


@lru_cache(maxsize=65_536)
def owner(device: str) -> str:
    """Whose device it is: `acme.example/alice/laptop` is `acme.example/alice`'s."""
    return device.rpartition("/")[0]
