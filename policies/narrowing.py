"""What is left of a window and of the targets. Nothing here ever adds to what was asked for."""

from dataclasses import dataclass
from datetime import timedelta

from blindrelay.policies import reasons
from blindrelay.policies.decision import Reason, TargetFacts
from blindrelay.policies.matter import Matter
from blindrelay.policies.request import DataDemand, Target, Timespan
from blindrelay.policies.vocabulary import Mode, Scope


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of a window; `span` is None when nothing is."""

    span: Timespan | None
    cuts: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets, sorted by what is known about them.

    Attributes:
        held: they exist and belong to the instrument's jurisdiction. Of a preservation also those who do not exist: it takes no
            court, and must tell nobody who is there. What exists of nobody is kept, and that is nothing.
        unheld: nothing is held about them. That they do not exist is not said.
        elsewhere: another jurisdiction's.
    """

    held: tuple[TargetFacts, ...]
    unheld: tuple[Target, ...]
    elsewhere: tuple[Target, ...]


def window(matter: Matter, demand: DataDemand) -> Window:
    """Cut a demand's window to what its instrument carries."""
    start, end = demand.window.start, demand.window.end
    received = matter.facts.received_at
    cuts: list[Reason] = []
    if demand.mode is Mode.STREAM:
        begins = max(received, matter.authorisation.timespan.start)
        if start < begins:
            start = begins
            cuts.append(_cut("A real-time order has no past: it begins when it has come and is in force."))
        if end > matter.term_end:
            end = matter.term_end
            basis = matter.instrument.legal_basis if matter.instrument else reasons.OPERATOR
            cuts.append(_cut(f"The instrument ends on {end:%d %B %Y %H:%M %Z}.", basis))
    elif end > received:
        end = received
        cuts.append(
            _cut("What is stored is what there was when the request came; what comes later takes a real-time order.")
        )
    if matter.is_voluntary and start < (earliest := received - timedelta(hours=matter.facts.operator.emergency_hours)):
        start = earliest
        hours = matter.facts.operator.emergency_hours
        cuts.append(
            _cut(f"In an emergency, without process, the operator gives the last {hours} hours.", rule="emergency")
        )
    return Window(Timespan(start=start, end=end) if start < end else None, tuple(cuts))


def targets(matter: Matter, demand: DataDemand) -> Targets:
    """Sort a demand's targets."""
    held: list[TargetFacts] = []
    unheld: list[Target] = []
    elsewhere: list[Target] = []
    for found in matter.facts_of(demand):
        if (found.exists or found.jurisdictions) and not matter.is_ours(found):
            elsewhere.append(found.target)
        elif found.exists:
            held.append(found)
        elif demand.mode is Mode.PRESERVE:
            held.append(matter.as_ours(found))
        else:
            unheld.append(found.target)
    return Targets(tuple(held), tuple(unheld), tuple(elsewhere))


def limited(
    matter: Matter, demand: DataDemand, held: tuple[TargetFacts, ...]
) -> tuple[tuple[TargetFacts, ...], tuple[Reason, ...]]:
    """In an emergency without process: the first account that is named, and no other."""
    if not matter.is_voluntary or demand.scope is not Scope.ACCOUNTS or len(held) < 2:
        return held, ()
    text = f"In an emergency, without process, the operator gives one account: {held[0].target.value}."
    return held[:1], (_cut(text, rule="emergency"),)


def _cut(text: str, source: str = reasons.OPERATOR, rule: str = "window") -> Reason:
    return reasons.of_engine(rule, text, source)
