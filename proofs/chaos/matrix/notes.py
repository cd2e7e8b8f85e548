"""What a person of a run notes, and what follows from it and from the key stores."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from blindrelay.clients.options import Options
from blindrelay.proofs.chaos.oracle import Finding, Invariant
from blindrelay.protocol.clock import Clock

#: Of key stores that are gone after the run.
PASSPHRASE: Final = "chaos"  # noqa: S105
#: What is counted is the letters themselves.
HABITS: Final = Options(read_receipts=False, delivery_receipts=False, share_profile=False)


class Notes:
    """A file of lines `what number at`, where `at` is monotonic seconds, which all processes of a machine share."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def write(self, what: str, number: int) -> None:
        """Append a line; it stays, whatever becomes of this process."""
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"{what} {number} {self._clock.monotonic()}\n")

    def lines(self) -> list[tuple[str, int, float]]:
        """All of them. A last one that is not whole was never finished."""
        if not self._path.exists():
            return []
        text = self._path.read_text(encoding="ascii")
        parts = (line.split(" ") for line in text[: text.rfind("\n") + 1].splitlines())
        return [(what, int(number), float(at)) for what, number, at in parts]

    def numbers(self, what: str) -> list[int]:
        """The numbers of all lines that say `what`, in order."""
        return [number for said, number, _ in self.lines() if said == what]


def judge(pair: str, sender: Notes, recipient: Notes, stored: Sequence[int]) -> list[Finding]:
    """What is wrong with the letters from `sender` to `recipient`; `stored` is what the recipient's key store has, in order."""
    intents, sent, times = set(sender.numbers("intent")), sender.numbers("sent"), Counter(stored)
    found = [
        Finding(Invariant.I1, f"lost: {pair} #{number} was taken and never arrived")
        for number in sent
        if number not in times
    ]
    found += [
        Finding(Invariant.I2, f"applied twice: {pair} #{number} is stored {many} times")
        for number, many in times.items()
        if many > 1
    ]
    found += [
        Finding(Invariant.I2, f"applied twice: the application was given {pair} #{number} {many} times")
        for number, many in Counter(recipient.numbers("got")).items()
        if many > 1
    ]
    found += [
        Finding(Invariant.I3, f"phantom: {pair} #{number} was never written")
        for number in times
        if number not in intents
    ]
    return found + [
        Finding(Invariant.I4, f"out of order: {pair} #{b} after #{a}") for a, b in pairwise(_once(stored)) if b < a
    ]


def _once(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))
