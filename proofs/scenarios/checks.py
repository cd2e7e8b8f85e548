"""Whether a decision is the one that was expected."""

from blindrelay.policies.decision import ClassDecision, DemandDecision, Reason
from blindrelay.policies.request import Timespan
from blindrelay.policies.scenarios.expectations import ClassExpectation, DemandExpectation, WindowExpectation
from blindrelay.policies.vocabulary import Outcome
from blindrelay.proofs.scenarios.comparison import Comparison

#: Attributes of a decision that are compared as they are.
_PLAIN = (
    "ground",
    "redirect_to",
    "release_not_before",
    "deadline",
    "preserved_until",
    "follow_up_due",
    "approvals_needed",
    "rests_on_unconfirmed",
    "service",
    "service_effective",
)


def compare_demand(expected: Outcome | DemandExpectation, found: DemandDecision, comparison: Comparison) -> None:
    """Compare what came of a demand."""
    expectation = DemandExpectation(outcome=expected) if isinstance(expected, Outcome) else expected
    if expectation.outcome is not None:
        comparison.same("outcome", expectation.outcome, found.outcome)
    if expectation.status is not None:
        comparison.same("status", expectation.status, found.status)
    comparison.fields(expectation, found, _PLAIN)
    if expectation.escalates is not None:
        comparison.same("escalates", expectation.escalates, found.escalate_to_counsel)
    _text(comparison, "use_restriction", expectation, found.use_restriction)
    if "stream" in expectation.model_fields_set:
        _window(comparison.at("stream"), expectation.stream, found.stream, comparison)
    everywhere = (*found.reasons, *(reason for one in found.classes for reason in one.reasons))
    _reasons(comparison, expectation, everywhere)
    laws = [one.law for one in found.classes if one.law] + ([found.law] if found.law else [])
    _law(comparison, expectation, laws)
    changes = [*found.would_change, *(text for one in found.classes for text in one.would_change)]
    if expectation.would_change is not None:
        comparison.contains("would_change", expectation.would_change, changes)
    by_class = {one.data_class: one for one in found.classes}
    for data_class, wanted in expectation.classes.items():
        part = comparison.at(data_class.value)
        if data_class not in by_class:
            part.absent("a decision", "that the class was not asked for")
        else:
            _compare_class(wanted, by_class[data_class], part)
        comparison.take(part)


def _compare_class(expected: Outcome | ClassExpectation, found: ClassDecision, comparison: Comparison) -> None:
    expectation = ClassExpectation(outcome=expected) if isinstance(expected, Outcome) else expected
    comparison.same("outcome", expectation.outcome, found.outcome)
    if expectation.status is not None:
        comparison.same("status", expectation.status, found.status)
    comparison.fields(expectation, found, ("ground",))
    _reasons(comparison, expectation, found.reasons)
    _law(comparison, expectation, [found.law] if found.law else [])
    if expectation.would_change is not None:
        comparison.contains("would_change", expectation.would_change, found.would_change)
    if expectation.targets is not None:
        comparison.same("targets", set(expectation.targets), {target.value for target in found.targets})
    if "window" in expectation.model_fields_set:
        _window(comparison.at("window"), expectation.window, found.window, comparison)


def _reasons(
    comparison: Comparison, expectation: DemandExpectation | ClassExpectation, reasons: tuple[Reason, ...]
) -> None:
    if expectation.policy is not None:
        comparison.matches("policy", expectation.policy, [reason.policy_id for reason in reasons])
    if expectation.reason is not None:
        comparison.contains("reason", expectation.reason, [f"{reason.text} ({reason.source})" for reason in reasons])


def _law(comparison: Comparison, expectation: DemandExpectation | ClassExpectation, laws: list[str]) -> None:
    if expectation.law is not None:
        comparison.contains("law", expectation.law, laws)
    elif "law" in expectation.model_fields_set:
        comparison.same("law", [], laws)


def _text(comparison: Comparison, name: str, expectation: DemandExpectation, found: str | None) -> None:
    if name in expectation.model_fields_set:
        expected = getattr(expectation, name)
        if expected is None:
            comparison.same(name, None, found)
        else:
            comparison.contains(name, expected, [found] if found else [])


def _window(part: Comparison, expected: WindowExpectation | None, found: Timespan | None, whole: Comparison) -> None:
    if expected is None or found is None:
        part.same("", expected, found)
    else:
        if expected.start is not None:
            part.same("from", expected.start, found.start)
        if expected.until is not None:
            part.same("until", expected.until, found.end)
    whole.take(part)
