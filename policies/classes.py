"""Each data class of a demand, judged on its own: hurdles first, then Cedar with everything concrete."""

from collections.abc import Sequence
from dataclasses import dataclass

from blindrelay.policies import cedar, counterfactual, narrowing, reasons, unheld
from blindrelay.policies.decision import ClassDecision, Reason, TargetFacts
from blindrelay.policies.hurdles import Inquiry, hurdle, refused, wants_content, with_notes
from blindrelay.policies.request import Target, Timespan
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, Ground, Mode, Outcome


@dataclass(frozen=True, slots=True)
class Permitted:
    """A class that the policies permit, with what is left of it; whether it leaves is decided after that.

    Attributes:
        held: for whom something is held.
        window: what is left of the demand's.
        reasons: the policies that permit it, and what was cut.
        is_cut: less than what was asked for.
    """

    data_class: DataClass
    held: tuple[TargetFacts, ...]
    window: Timespan
    reasons: tuple[Reason, ...]
    is_cut: bool

    @property
    def targets(self) -> tuple[Target, ...]:
        """As the demand named them."""
        return tuple(found.target for found in self.held)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A class that the policies are asked about.

    Attributes:
        tenants: of the targets that are held, one of each; or one that stands for targets of which nothing is held. None at
            all for what can only be forbidden.
        questions: for each tenant one for each issuer.
    """

    issuers: tuple[AuthorityKind, ...]
    tenants: tuple[TargetFacts, ...]
    questions: tuple[cedar.Question, ...]


def judge(inquiry: Inquiry) -> list[ClassDecision | Permitted]:
    """Judge every class of the demand, in the order of the vocabulary."""
    early: dict[DataClass, ClassDecision] = {}
    asked: dict[DataClass, _Asked] = {}
    wanted = [each for each in DataClass if each in inquiry.demand.classes]
    for data_class in wanted:
        if questions := unheld.questions(inquiry.matter, data_class, inquiry.demand.scope):
            asked[data_class] = _Asked((), (), questions)
        elif refusal := hurdle(inquiry, data_class):
            early[data_class] = refusal
        else:
            asked[data_class] = _ask(inquiry, data_class)
    # All at once: one call of Cedar costs several times what one more question does.
    verdicts = iter(inquiry.matter.evaluator.ask_all([each for of in asked.values() for each in of.questions]))
    answers = {data_class: [next(verdicts) for _ in of.questions] for data_class, of in asked.items()}
    return [
        early[data_class]
        if data_class in early
        else _answer(inquiry, data_class, asked[data_class], answers[data_class])
        for data_class in wanted
    ]


def _ask(inquiry: Inquiry, data_class: DataClass) -> _Asked:
    matter, demand = inquiry.matter, inquiry.demand
    pack, _ = inquiry.row
    # A class that the instrument does not permit is refused as such, whether or not anything is held of the targets.
    nobody = TargetFacts(demand.targets[0], False, None, frozenset({pack.manifest.jurisdiction}))
    tenants = tuple({found.tenant: found for found in inquiry.targets.held}.values()) or (nobody,)
    issuers = matter.issuers_for(data_class)
    questions = tuple(
        cedar.Question(
            matter.principal,
            inquiry.action,
            cedar.records(data_class, found.tenant or "", matter.jurisdictions(found)),
            matter.context(issuer, demand.scope, demand.mode, prospective=demand.mode is Mode.STREAM),
        )
        for found in tenants
        for issuer in issuers
    )
    return _Asked(issuers, tenants, questions)


def _answer(
    inquiry: Inquiry, data_class: DataClass, asked: _Asked, answers: Sequence[cedar.Verdict]
) -> ClassDecision | Permitted:
    if not asked.tenants:
        return _unheld(inquiry, data_class, answers)
    if failed := [error for answer in answers for error in answer.failed]:
        text = f"The policies could not be evaluated ({failed[0]}). What cannot be decided is refused."
        return refused(data_class, Ground.UNDECIDABLE, (reasons.of_engine("undecidable", text),))
    each = len(asked.issuers)
    permits = {
        found.tenant: [answer for answer in answers[number * each : (number + 1) * each] if answer.allowed]
        for number, found in enumerate(asked.tenants)
    }
    if not any(permits.values()):
        return _denied(inquiry, data_class, asked, answers)
    policies = {
        policy.id: policy for allowed in permits.values() for answer in allowed[:1] for policy in answer.determining
    }
    why = tuple(reasons.of_policy(policy) for policy in policies.values())
    held = tuple(found for found in inquiry.targets.held if permits.get(found.tenant))
    return _permitted(inquiry, data_class, held, why)


def _unheld(inquiry: Inquiry, data_class: DataClass, answers: Sequence[cedar.Verdict]) -> ClassDecision:
    policies = [policy for answer in answers for policy in answer.determining if policy.effect == "forbid"]
    why = tuple(reasons.of_policy(policy) for policy in policies)
    if inquiry.stop is None and (wants := wants_content(inquiry)):
        why = (*why, wants)
    return unheld.refuse_class(inquiry.matter, data_class, inquiry.demand.scope, inquiry.stop, why)


def _permitted(
    inquiry: Inquiry, data_class: DataClass, held: tuple[TargetFacts, ...], why: tuple[Reason, ...]
) -> ClassDecision | Permitted:
    window, targets = inquiry.window, inquiry.targets
    if not targets.held:
        # The case file has the ground; the letter says that nothing is held. Whether somebody exists is a subscriber record.
        nothing = reasons.of_engine("targets", "Nothing is held about the targets that are named.")
        return refused(data_class, Ground.UNKNOWN_TARGET, (*why, nothing), ("Targets of which records are held.",))
    if window.span is None:
        raise ValueError("a hurdle refuses where nothing is left of the window")
    left, cut = narrowing.limited(inquiry.matter, inquiry.demand, held)
    is_cut = len(left) < len(targets.held) or bool(targets.elsewhere or window.cuts)
    if targets.elsewhere:
        names = reasons.listed([target.value for target in targets.elsewhere])
        cut = (*cut, reasons.of_engine("jurisdiction", f"Left out, as another jurisdiction's: {names}."))
    if targets.unheld:
        cut = (*cut, reasons.of_engine("targets", "About some of the targets nothing is held."))
    return Permitted(data_class, left, window.span, (*why, *window.cuts, *cut), is_cut)


def _denied(inquiry: Inquiry, data_class: DataClass, asked: _Asked, answers: Sequence[cedar.Verdict]) -> ClassDecision:
    forbids = {policy.id: policy for answer in answers for policy in answer.determining}
    if forbids:
        first = next(iter(forbids.values()))
        return refused(data_class, first.ground, tuple(reasons.of_policy(policy) for policy in forbids.values()))
    pack, instrument = inquiry.row
    short = counterfactual.what_would_change(inquiry.matter, asked.questions[0], data_class)
    text = f"No policy permits {reasons.in_words([data_class])} under {reasons.cited(instrument)} as it was issued."
    why = (reasons.of_instrument(pack, instrument, with_notes(instrument, text)), *short.reasons)
    change = short.sentences or counterfactual.other_instruments(pack, instrument, inquiry.action, data_class)
    outcome = Outcome.EXPIRED if short.ground is Ground.EXPIRED else Outcome.REFUSED
    return refused(data_class, short.ground, why, change, outcome)
