"""What was sent, what became of it, and what is wrong with that.

A message is a number: an event of the scenario. It travels inside the text, so that what is counted is what came out of
the encryption. Numbers rise in order of sending, so order is kept for a sender and a recipient's device as long as they
rise there.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

_MARK: Final = re.compile(r"#([0-9]{1,12})\b")

#: Texts of the lengths that people write; what they say does not matter to anyone.
_WORDS: Final = "could you have a look at this before the meeting on thursday and tell the others what you think of it "
_LENGTHS: Final = (24, 60, 180, 12, 420, 90, 36, 240)


def text_of(number: int) -> str:
    """The text of message `number`: its mark, and as many words as its length asks for."""
    length = _LENGTHS[number % len(_LENGTHS)]
    return f"#{number} " + (_WORDS * (length // len(_WORDS) + 1))[:length].rstrip()


def number_in(text: str) -> int | None:
    """The number of the message with this text; None when the text is not exactly what was sent under its number."""
    mark = _MARK.match(text)
    if mark is None or text != text_of(int(mark[1])):
        return None
    return int(mark[1])


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds."""

    p50: float
    p90: float
    p99: float
    worst: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Percentiles | None":
        """Nearest-rank percentiles; None of nothing."""
        ordered = sorted(values)
        if not ordered:
            return None
        p50, p90, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.9, 0.99))
        return cls(p50, p90, p99, ordered[-1])


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run. All counts are messages; a letter to five people is five.

    Attributes:
        planned: what the scenario holds.
        sent: handed to the senders' devices.
        refused: what the senders' devices or the relay would not take.
        accepted: the relay has acknowledged them, so they are on its disk.
        delivered: the recipients' devices got them from the relay.
        decrypted: the recipients' applications got exactly the text that was written.
        lost: accepted, and not decrypted, when the run was complete.
        under_way: the same, when it was interrupted.
        duplicated: got more than once by an application.
        undecryptable: envelopes that a device could not open, and texts that were not written so, by this sender, to them.
        out_of_order: came after a later one of the same sender to the same device.
        seconds: from the first event to the last arrival.
        to_accepted, to_decrypted: seconds since the sender's application sent it.
    """

    people: int
    planned: int
    sent: int
    refused: int
    accepted: int
    delivered: int
    decrypted: int
    lost: int
    under_way: int
    duplicated: int
    undecryptable: int
    out_of_order: int
    seconds: float
    to_accepted: Percentiles | None
    to_decrypted: Percentiles | None
    complete: bool = True

    @property
    def flawless(self) -> bool:
        """Nothing was lost, refused, duplicated, undecryptable or out of order. An interrupted run may be that, too."""
        wrong = self.lost + self.duplicated + self.undecryptable + self.out_of_order + self.refused
        return wrong == 0 and (not self.complete or self.decrypted == self.planned)


@dataclass(slots=True)
class Tally:
    """Counts as things happen. Times are seconds on any one clock."""

    people: int
    planned: int
    sent: int = 0
    refused: int = 0
    accepted: int = 0
    delivered: int = 0
    decrypted: int = 0
    duplicated: int = 0
    undecryptable: int = 0
    out_of_order: int = 0
    _sender: dict[int, int] = field(default_factory=dict)
    _sent_at: dict[tuple[int, int], float] = field(default_factory=dict)
    _accepted: set[tuple[int, int]] = field(default_factory=set)
    _got: set[tuple[int, int]] = field(default_factory=set)
    _latest: dict[tuple[int, int], int] = field(default_factory=dict)
    _to_accepted: list[float] = field(default_factory=list)
    _to_decrypted: list[float] = field(default_factory=list)

    def send(self, number: int, sender: int, recipients: Sequence[int], now: float) -> None:
        """An application hands over message `number` for these people."""
        self._sender[number] = sender
        self.sent += len(recipients)
        for recipient in recipients:
            self._sent_at[number, recipient] = now

    def accept(self, number: int, recipients: Sequence[int], now: float) -> None:
        """The relay has acknowledged all of it."""
        self.accepted += len(recipients)
        for recipient in recipients:
            self._accepted.add((number, recipient))
            self._to_accepted.append(now - self._sent_at[number, recipient])

    def refuse(self, recipients: Sequence[int]) -> None:
        """It was not taken."""
        self.refused += len(recipients)

    def receive(self, text: str, sender: int, recipient: int, now: float) -> None:
        """An application of `recipient` got `text`, and was told that it is from `sender`."""
        self.delivered += 1
        number = number_in(text)
        key = (-1 if number is None else number, recipient)
        if number is None or key not in self._sent_at or self._sender[number] != sender:
            self.undecryptable += 1
            return
        if key in self._got:
            self.duplicated += 1
            return
        self._got.add(key)
        self.decrypted += 1
        self._to_decrypted.append(now - self._sent_at[key])
        if number < self._latest.get((sender, recipient), -1):
            self.out_of_order += 1
        else:
            self._latest[sender, recipient] = number

    def fail(self) -> None:
        """A device got an envelope that it could not open."""
        self.delivered += 1
        self.undecryptable += 1

    @property
    def settled(self) -> bool:
        """Nothing is under way: whatever was sent was refused, or accepted and received."""
        return self.accepted + self.refused >= self.sent and self.decrypted >= self.accepted

    def summary(self, seconds: float, *, complete: bool = True) -> Summary:
        """The state of things."""
        missing = len(self._accepted - self._got)
        return Summary(
            people=self.people,
            planned=self.planned,
            sent=self.sent,
            refused=self.refused,
            accepted=self.accepted,
            delivered=self.delivered,
            decrypted=self.decrypted,
            lost=missing if complete else 0,
            under_way=0 if complete else missing,
            duplicated=self.duplicated,
            undecryptable=self.undecryptable,
            out_of_order=self.out_of_order,
            seconds=seconds,
            to_accepted=Percentiles.of(self._to_accepted),
            to_decrypted=Percentiles.of(self._to_decrypted),
            complete=complete,
        )
