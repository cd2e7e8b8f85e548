"""What a run of the matrix is, and what came of it."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from blindrelay.proofs.chaos.device import Mood
from blindrelay.proofs.chaos.matrix.faults import POSTGRESQL, Fault
from blindrelay.proofs.chaos.matrix.service import Recovery
from blindrelay.proofs.chaos.oracle import Finding, Invariant

# Between the end of one strike and the next, so that everybody has been served in between. Seconds.
_PEACE = (1.0, 3.0)


@dataclass(frozen=True, slots=True)
class Blow:
    """One planned strike: seconds from the start of the load, and how long it lasts."""

    at: float
    length: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. The same plan gives the same blows to the same targets, and devices that draw the same.

    Attributes:
        seconds: how long there is load before what is in flight is brought to an end; longer when the fault takes longer.
        rate: messages a second and device.
        crowd: clients besides, for faults that want them.
        frozen: for how long a node stands still. Seconds.
        saboteur: a deliberate fault in every node, by name.
        mood: of all devices, instead of the fault's.
        patience: how long what is in flight is waited for in the end. What is lost is waited for in vain. Seconds.
    """

    fault: Fault
    seed: int = 1
    engine: str = POSTGRESQL
    nodes: int = 3
    seconds: float = 8.0
    devices: int = 10
    rate: float = 4.0
    crowd: int = 2_000
    frozen: float = 30.0
    saboteur: str = ""
    mood: Mood | None = None
    patience: float = 20.0

    @property
    def name(self) -> str:
        """For a folder, and for people."""
        return f"{self.fault.name}-{self.seed}"

    def chance(self, what: str) -> random.Random:
        """What `what` draws from. Not for secrets: a run is to be repeatable."""
        return random.Random(f"{what} {self.fault.name} {self.seed}")  # noqa: S311

    @property
    def blows(self) -> list[Blow]:
        """At random points of the load; one at least."""
        chance, blows = self.chance("blows"), list[Blow]()
        at = chance.uniform(0.3, max(0.5, self.seconds / 3))
        while not blows or (at < self.seconds * 0.7 and not self.fault.whole_run):
            length = chance.uniform(*self.fault.length)
            blows.append(Blow(round(at, 3), round(length, 3)))
            at += length + chance.uniform(*_PEACE)
        return blows


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a run.

    Attributes:
        findings: what did not hold; none in a good run.
        recoveries: for each strike, how long it took until everybody was served again.
        peak: the most memory that a relay process took, in bytes.
        notes: what was done, as the timeline has it.
        skipped: why there was no run; empty when there was.
        waited: for how long nodes waited for a processor, in terms of how long they had one. Above `service.STARVED` it is the
            machine that was slow: times are told then, and not judged.
    """

    plan: Plan
    findings: tuple[Finding, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    recoveries: tuple[Recovery, ...] = ()
    peak: int = 0
    notes: tuple[str, ...] = ()
    skipped: str = ""
    waited: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.findings and not self.skipped

    def broken(self, invariant: Invariant) -> int:
        """How often it did not hold."""
        return sum(finding.invariant is invariant for finding in self.findings)

    @property
    def slowest(self) -> float:
        """The longest time until everybody was served again; infinite when somebody was not. Seconds."""
        return max((each.seconds for each in self.recoveries), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "fault": self.plan.fault.name,
            "seed": self.plan.seed,
            "engine": self.plan.engine,
            "nodes": self.plan.nodes,
            "passed": self.passed,
            "skipped": self.skipped or None,
            "messages": self.counts["messages"],
            "acknowledged": self.counts["acked"],
            "lost": self.broken(Invariant.I1),
            "applied_twice": self.broken(Invariant.I2),
            "out_of_order": self.broken(Invariant.I4),
            "back_after": [
                {"acknowledged": each.acknowledged, "delivered": each.delivered}
                | ({"crowd": each.crowd} if self.plan.fault.crowd else {})
                for each in self.recoveries
            ],
            "peak_memory": self.peak,
            "waited_for_processors": round(self.waited, 2),
            "done": list(self.notes),
            "findings": [str(finding) for finding in self.findings],
        }


def slowest(verdicts: Iterable[Verdict]) -> float:
    """Of several runs: see `Verdict.slowest`."""
    return max((verdict.slowest for verdict in verdicts), default=0.0)
