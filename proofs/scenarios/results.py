"""What came of a run: a timeline, and what was not as expected, with why."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is not as it was expected.

    Attributes:
        where: which expectation: `decisions.first/records.TRAFFIC.outcome`.
        trace: how it came to what was found: policies, attributes, what would have had to differ.
    """

    where: str
    expected: str
    found: str
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the timeline.

    Attributes:
        at: on the scenario's clock.
        title: what happened.
        details: what came of it.
        sources: where the fact comes from.
        line: of the step in its file; 0 for a letter of the traffic.
        checked: how many expectations were compared.
    """

    at: datetime
    title: str
    details: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    line: int = 0
    checked: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one variant of a scenario.

    Attributes:
        error: why it could not be played to its end, if so.
        searched: how many bytes were searched for what people wrote.
        disclosed: how many bytes of it were found, in what anybody was given or the relay keeps.
        seconds: how long it took, on the machine's clock.
    """

    path: Path
    scenario: str
    title: str
    variant: str | None
    variant_title: str | None
    reference: str | None
    entries: tuple[Entry, ...] = field(repr=False)
    error: str | None = None
    searched: int = 0
    disclosed: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """`us-subpoena`, or `eu-traffic[silence]`."""
        return self.scenario if self.variant is None else f"{self.scenario}[{self.variant}]"

    @property
    def findings(self) -> list[Finding]:
        """Everything that is not as it was expected."""
        return [finding for entry in self.entries for finding in entry.findings]

    @property
    def checked(self) -> int:
        """How many expectations were compared."""
        return sum(entry.checked for entry in self.entries)

    @property
    def passed(self) -> bool:
        """Whether everything is as expected, and it was played to its end."""
        return self.error is None and not self.findings

    def failure(self) -> str:
        """What went wrong, as text of several lines; empty when nothing did."""
        lines: list[str] = []
        for entry in self.entries:
            trace: tuple[str, ...] = ()
            for finding in entry.findings:
                place = f"{self.path}:{entry.line}" if entry.line else str(self.path)
                lines += [f"{place}: {entry.at:%Y-%m-%d %H:%M}: {entry.title}", f"  {finding.where}"]
                lines += [f"    expected: {finding.expected}", f"    found:    {finding.found}"]
                if finding.trace != trace:  # findings about one decision have it in common
                    lines += [f"    {line}" for line in finding.trace]
                trace = finding.trace
        if self.error is not None:
            lines.append(f"{self.path}: {self.error}")
        return "\n".join(lines)
