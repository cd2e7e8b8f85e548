"""What a check is: something that reads evidence and says what it examined, and what it found.

A check is a module of this package with a `CHECK`. It finds for *reasons*, each with a name of its own: a saboteur says for
which reason it has to be caught, so that being caught by accident does not count.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from blindrelay.proofs.evidence.scope import Stage

if TYPE_CHECKING:  # A saboteur in the relay's process imports this module, and must not bring a client in that way.
    from blindrelay.proofs.evidence.folder import Evidence

#: More findings of one reason say no more, and are counted.
_SHOWN = 20


class Lock(StrEnum):
    """Why content cannot come out, five times over."""

    KEYS = "keys"
    POLICY = "policy"
    FORM = "form"
    NON_INTERFERENCE = "non-interference"
    ACCOUNTABILITY = "accountability"

    @property
    def claim(self) -> str:
        """What it promises."""
        return _CLAIMS[self]


_CLAIMS = {
    Lock.KEYS: "Content is encrypted between devices; the relay has no key and no code that could open it.",
    Lock.POLICY: "No policy can grant content or keys, whoever asks, with whatever instrument.",
    Lock.FORM: "What exists outside the ciphertext, and what leaves, is a closed list of metadata, and no older than it says.",
    Lock.NON_INTERFERENCE: "What people write has no influence on anything that the relay keeps or gives.",
    Lock.ACCOUNTABILITY: "Whatever leaves was asked for, decided and written down, and is no more than that.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be. `reason` is one of the check's."""

    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number that was measured, beside what it is to be held against.

    Attributes:
        what: what it is the measure of, in words: `senders linked, sealed`.
        unit: `share` (of 1), `bits`, `seconds`, or what is counted.
        guess: the same number for somebody who guesses, having seen nothing; None where there is no such thing.
        limit: from where on it is a finding; None where it is told and not judged.
        source: what it was measured on: `relay`, a real one with real clients, or `model`, larger and without encryption.
    """

    what: str
    value: float
    unit: str
    guess: float | None = None
    limit: float | None = None
    source: str = "relay"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check.

    Attributes:
        examined: what was looked at, and how much of it.
        skipped: what could not be examined here, and why.
        dropped: how many findings more there were of each reason.
        error: why the check could not be carried out to its end, if so. That is no pass.
        measured: what leaks all the same, in numbers: a check that passes is below its limits, not at zero.
    """

    check: str
    findings: tuple[Finding, ...] = ()
    examined: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0
    measured: tuple[Measurement, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it was carried out, and found nothing."""
        return self.error is None and not self.findings

    def has(self, reason: str) -> bool:
        """Whether something was found for this reason."""
        return any(finding.reason == reason for finding in self.findings)


class Report:
    """What a check writes down as it goes."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self._reasons = reasons
        self._findings: list[Finding] = []
        self._texts: set[Finding] = set()
        self._counts: Counter[str] = Counter()
        self._examined: Counter[str] = Counter()
        self._skipped: list[str] = []
        self._measured: list[Measurement] = []

    def find(self, reason: str, text: str) -> None:
        """Something that must not be. KeyError for a reason that the check has not declared."""
        self._reasons[reason]
        finding = Finding(reason, text)
        if finding in self._texts:
            return
        self._texts.add(finding)
        self._counts[reason] += 1
        if self._counts[reason] <= _SHOWN:
            self._findings.append(finding)

    def examined(self, what: str, count: int = 1) -> None:
        """So much more of something was looked at."""
        self._examined[what] += count

    def measure(self, measurement: Measurement) -> None:
        """A number, which need not be a finding."""
        self._measured.append(measurement)

    def missing(self, needs: Iterable[str]) -> list[str]:
        """What was not examined, of what has to be."""
        return [what for what in needs if not self._examined[what]]

    def skip(self, why: str) -> None:
        """Something could not be examined here."""
        if why not in self._skipped:
            self._skipped.append(why)

    def verdict(self, check: str, seconds: float, error: str | None = None) -> Verdict:
        """Close it."""
        dropped = {reason: count - _SHOWN for reason, count in self._counts.items() if count > _SHOWN}
        return Verdict(
            check,
            findings=tuple(self._findings),
            examined=dict(self._examined),
            skipped=tuple(self._skipped),
            dropped=dropped,
            error=error,
            seconds=seconds,
            measured=tuple(self._measured),
        )


@dataclass(frozen=True, slots=True)
class Check:
    """A check.

    Attributes:
        name: short, for tables and command lines.
        lock: which of the locks it is about.
        title: what it does, in a line.
        reasons: everything that it can find: name -> what that means.
        needs: what it must have examined, by the names that it counts under: a check of nothing is no check.
        examine: does it. Whatever it raises makes the verdict an error.
        needs_a_run: whether it reads what a run has left; one that does not begins at once.
        enough: the parts of a run in which it can find most of what it finds: a saboteur that it has to find is let loose in
            these alone, unless it says where else it shows.
    """

    name: str
    lock: Lock
    title: str
    reasons: Mapping[str, str]
    needs: tuple[str, ...]
    examine: "Callable[[Evidence, Report], None]"
    needs_a_run: bool = True
    enough: tuple[Stage, ...] = tuple(Stage)


def carried_out(check: Check, needs: Iterable[str], examine: Callable[[Report], None]) -> Verdict:
    """What comes of a check. What it raises makes its verdict an error, and so does having examined nothing: no pass."""
    report, began, error = Report(check.reasons), time.monotonic(), None
    try:
        examine(report)
        if missing := report.missing(needs):
            error = f"nothing was examined of: {', '.join(missing)}"
    except Exception as failed:  # noqa: BLE001 - whatever it is
        error = f"{type(failed).__name__}: {failed}"
    return report.verdict(check.name, time.monotonic() - began, error)
