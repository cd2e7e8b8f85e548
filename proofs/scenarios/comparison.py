"""Comparing what is expected with what is: each comparison is counted, and what differs becomes a finding."""

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from fnmatch import fnmatchcase

from pydantic import BaseModel

from blindrelay.policies.request import Timespan
from blindrelay.policies.scenarios.words import Bounds, Count, counts
from blindrelay.proofs.scenarios.results import Finding


class Comparison:
    """Collects findings about one thing.

    Args:
        where: the name of the thing, which every finding begins with.
        trace: called for the first finding, for how it came to that.
    """

    def __init__(self, where: str, trace: Callable[[], tuple[str, ...]] = tuple) -> None:
        self.where = where
        self.findings: list[Finding] = []
        self.checked = 0
        self._trace = trace

    def at(self, part: str) -> "Comparison":
        """A comparison of a part of it; `take` it over afterwards."""
        return Comparison(f"{self.where}.{part}", self._trace)

    def take(self, *others: "Comparison") -> None:
        """Count what others have found as found here."""
        for other in others:
            self.findings += other.findings
            self.checked += other.checked

    def differs(self, part: str, expected: object, found: object) -> None:
        """Note a finding."""
        where = f"{self.where}.{part}" if part else self.where
        self.findings.append(Finding(where, words(expected), words(found), self._trace()))

    def absent(self, expected: object, found: object) -> None:
        """There is nothing to be compared with."""
        self.checked += 1
        self.differs("", expected, found)

    def same(self, part: str, expected: object, found: object) -> None:
        """They are to be equal."""
        self.checked += 1
        if expected != found:
            self.differs(part, expected, found)

    def fields(self, expectation: BaseModel, found: object, names: Iterable[str]) -> None:
        """Those of `names` that the expectation states, null included, are to be equal to the attributes of `found`."""
        for name in names:
            if name in expectation.model_fields_set:
                self.same(name, getattr(expectation, name), getattr(found, name))

    def contains(self, part: str, expected: str, texts: Iterable[str]) -> None:
        """One of `texts` is to contain `expected`, upper and lower case alike."""
        self.checked += 1
        texts = list(texts)
        if not any(expected.lower() in text.lower() for text in texts):
            self.differs(part, f"something with {expected!r}", texts or "nothing")

    def lacks(self, part: str, unexpected: str, text: str) -> None:
        """`text` must not contain it."""
        self.checked += 1
        if unexpected.lower() in text.lower():
            self.differs(part, f"nothing with {unexpected!r}", text)

    def matches(self, part: str, pattern: str, names: Iterable[str]) -> None:
        """One of `names` is to match; `*` stands for anything."""
        self.checked += 1
        names = list(names)
        if not any(fnmatchcase(name, pattern) for name in names):
            self.differs(part, pattern, names or "none")

    def count(self, part: str, expected: Count, found: int) -> None:
        """So many, or within bounds."""
        self.checked += 1
        if not counts(expected, found):
            self.differs(part, expected, found)


def words(value: object) -> str:  # noqa: PLR0911 - one for each kind of value
    """A value as people write it."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Bounds():
            return str(value)
        case Enum():
            return str(value.value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Timespan():
            return f"{words(value.start)} to {words(value.end)}"
        case str() | int() | float():
            return str(value)
        case dict():
            return ", ".join(f"{words(key)}: {words(one)}" for key, one in value.items()) or "nothing"
        case list() | tuple() | set() | frozenset():
            parts = [words(one) for one in value]
            return ", ".join(parts if isinstance(value, list | tuple) else sorted(parts)) or "nothing"
    return str(value)
