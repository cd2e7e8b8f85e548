"""What would have had to differ: the same question, changed in one place, until a policy permits it.

It explains a refusal and never changes one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from blindrelay.policies import cedar, reasons
from blindrelay.policies.decision import Reason
from blindrelay.policies.matter import Matter
from blindrelay.policies.packs import Instrument, Pack, Reads
from blindrelay.policies.vocabulary import DataClass, Ground, Purpose, Urgency

MAX_INSTRUMENTS: Final = 4


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a question was denied, judged by what would have been permitted.

    Attributes:
        ground: what the first change that helps is about; out of reach when none does.
        reasons: the policies that would have permitted it.
        sentences: what would have had to differ, one each.
    """

    ground: Ground
    reasons: tuple[Reason, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    context: cedar.Instrument
    attribute: str
    sentence: str
    ground: Ground = Ground.OUT_OF_REACH


def what_would_change(matter: Matter, denied: cedar.Question, data_class: DataClass) -> Shortfall:
    """Ask again with one attribute changed at a time: each that a policy for this instrument and class looks at."""
    key = (denied.action, data_class, denied.context.id)
    reads = matter.pack.reads.get(key) if matter.pack else None
    if reads is None:
        return Shortfall(Ground.OUT_OF_REACH)
    changes = [
        each for each in _changes(matter, denied.context, data_class, reads) if each.attribute in reads.attributes
    ]
    verdicts = matter.evaluator.ask_all([replace(denied, context=change.context) for change in changes])
    helpful: dict[str, tuple[_Change, cedar.Verdict]] = {}
    for change, verdict in zip(changes, verdicts, strict=True):
        if verdict.allowed:
            helpful.setdefault(change.sentence if change.attribute == "issuer" else change.attribute, (change, verdict))
    if not helpful:
        return Shortfall(Ground.OUT_OF_REACH)
    policies = {policy.id: policy for _, verdict in helpful.values() for policy in verdict.determining}
    found = [change for change, _ in helpful.values()]
    return Shortfall(
        found[0].ground,
        tuple(_not_met(policy) for policy in policies.values()),
        tuple(change.sentence for change in found),
    )


def other_instruments(pack: Pack, used: Instrument, action: str, data_class: DataClass) -> tuple[str, ...]:
    """Instruments of the pack under which a policy permits this, in the order of its manifest."""
    named = pack.permits.get((action, data_class), frozenset())
    found = [
        each for each in pack.manifest.instruments if each.id in named and each.id != used.id and not each.voluntary
    ]
    if not found:
        return ()
    listed = [
        f"{reasons.cited(each)}, issued by {reasons.issuers_in_words(each.issuers)}" for each in found[:MAX_INSTRUMENTS]
    ]
    return (f"An instrument that reaches {reasons.in_words([data_class])}: {'; or '.join(listed)}.",)


def _changes(matter: Matter, context: cedar.Instrument, data_class: DataClass, reads: Reads) -> Iterator[_Change]:
    for kind in matter.instrument.issuers_of(data_class) if matter.instrument else ():
        if kind not in matter.issuers:
            sentence = f"The same order, issued or approved by {reasons.issuers_in_words([kind])}."
            yield _Change(replace(context, issuer=kind), "issuer", sentence, Ground.WRONG_AUTHORITY)
    if not context.in_force:
        sentence = "The same order while it is in force."
        yield _Change(replace(context, in_force=True), "in_force", sentence, Ground.EXPIRED)
    if not context.within_duration:
        sentence = "The same order, for no longer than its statute allows."
        yield _Change(replace(context, within_duration=True), "within_duration", sentence)
    for purpose in (each for each in Purpose if each != context.purpose):
        sentence = f"The same order, with the purpose to {purpose}."
        yield _Change(replace(context, purpose=purpose), "purpose", sentence)
    for years in sorted({number + more for number in reads.numbers for more in (0, 1)}):
        if years > context.offence_max_years:
            sentence = f"An offence whose highest penalty is {years} years or more, and that is stated."
            yield _Change(replace(context, offence_max_years=years), "offence_max_years", sentence)
    if not context.is_mutual_assistance:
        sentence = "The reference of the requested state's own order."
        yield _Change(replace(context, is_mutual_assistance=True), "is_mutual_assistance", sentence)
    for urgency in (each for each in Urgency if each != context.urgency):
        grounds = context.has_emergency_grounds or urgency is Urgency.EMERGENCY
        sentence = f"The same demand where it is {urgency}" + (", with its grounds stated." if grounds else ".")
        yield _Change(replace(context, urgency=urgency, has_emergency_grounds=grounds), "urgency", sentence)
    if context.urgency == Urgency.EMERGENCY and not context.has_emergency_grounds:
        sentence = "The grounds of the emergency."
        yield _Change(replace(context, has_emergency_grounds=True), "has_emergency_grounds", sentence)


def _not_met(policy: cedar.Policy) -> Reason:
    found = reasons.of_policy(policy)
    return replace(found, text=f"This policy would apply, and its condition is not met: {found.text}")
