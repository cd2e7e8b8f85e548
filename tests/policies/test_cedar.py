"""Cedar's verdicts, with the names of the policies, and what happens where something is missing or fails."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import cedarpy
import pytest

from blindrelay.policies import cedar
from blindrelay.policies.cedar import DATA_ACTIONS, FORBIDDEN, SERVICE_ACTIONS, Evaluator, Policy, Question
from blindrelay.policies.packs import Policies
from blindrelay.policies.vocabulary import DataClass
from support.packs import policy

JUDGE = cedar.authority("court", "us", "judge")
TRAFFIC = cedar.records(DataClass.TRAFFIC, "globex.example", ["us"])
CONTEXT = cedar.Instrument(
    id="us/d-order",
    jurisdiction="us",
    issuer="judge",
    in_force=True,
    within_duration=True,
    scope="accounts",
    urgency="routine",
    purpose="investigate",
    offence_max_years=3,
    prospective=False,
    has_emergency_grounds=False,
    is_mutual_assistance=False,
)
QUESTION = Question(JUDGE, "disclose", TRAFFIC, CONTEXT)
PERMIT = 'permit (principal, action == Action::"disclose", resource is TrafficRecords)'
OVERFLOW = "context.offence_max_years * 9223372036854775807 > 0"


def evaluator(*policies: Policy) -> Evaluator:
    return Evaluator(policies)


def names(policies: Sequence[Policy]) -> list[str]:
    return [each.id for each in policies]


def test_nothing_is_allowed_that_nothing_permits() -> None:
    """Deny by default, and no policy is named for it."""
    verdict = evaluator(policy(f'{PERMIT} when {{ context.id == "us/subpoena" }};')).ask(QUESTION)

    assert not verdict.allowed
    assert verdict.determining == ()


def test_a_verdict_names_the_policies_that_decided() -> None:
    """Cedar says `policy1`; a decision says which that is."""
    other = policy(f'{PERMIT} when {{ context.issuer == "police" }};', "us/a")
    verdict = evaluator(other, policy(f"{PERMIT};", "us/b"), policy(f"{PERMIT};", "us/c")).ask(QUESTION)

    assert verdict.allowed
    assert names(verdict.determining) == ["us/b", "us/c"]


def test_a_forbid_decides_over_every_permit() -> None:
    """And it is the one that is named."""
    forbid = policy('forbid (principal, action == Action::"disclose", resource);', "us/no")
    verdict = evaluator(policy(f"{PERMIT};"), forbid).ask(QUESTION)

    assert not verdict.allowed
    assert names(verdict.determining) == ["us/no"]


@pytest.mark.parametrize("failing", ["permit", "forbid"])
def test_an_evaluation_that_fails_denies(failing: str) -> None:
    """Cedar would skip the policy: a forbid that fails would vanish, and a permit beside it would hold."""
    broken = policy(
        f'{failing} (principal, action == Action::"disclose", resource) when {{ {OVERFLOW} }};', "us/broken"
    )
    verdict = evaluator(policy(f"{PERMIT};"), broken).ask(QUESTION)

    assert not verdict.allowed
    assert len(verdict.failed) == 1


@pytest.mark.parametrize("attribute", [each.name for each in fields(cedar.Instrument)])
def test_a_missing_attribute_denies(policies: Policies, attribute: str) -> None:
    """The schema requires each: a context without it is not evaluated at all, so that no conditional forbid is skipped."""
    request = cedar._request(QUESTION)
    entities = [JUDGE.json, TRAFFIC.json]
    context = {each.name: getattr(CONTEXT, each.name) for each in fields(CONTEXT) if each.name != attribute}
    parsed = policies.packs["us"].evaluator._set

    assert cedarpy.is_authorized(request, parsed, entities, cedar.schema()).allowed
    answer = cedarpy.is_authorized({**request, "context": context}, parsed, entities, cedar.schema())
    assert not answer.allowed
    assert attribute in answer.diagnostics.errors[0]


def test_questions_that_are_asked_together_get_the_answers_they_get_alone(policies: Policies) -> None:
    """A batch is nothing but faster."""
    asked = [
        replace(QUESTION, action=action, context=replace(CONTEXT, issuer=issuer))
        for action in sorted(DATA_ACTIONS)
        for issuer in ("judge", "police")
    ]
    parsed = policies.packs["us"].evaluator

    assert parsed.ask_all(asked) == [parsed.ask(question) for question in asked]
    assert parsed.ask_all([]) == []


def test_an_entity_is_not_two_things_at_once() -> None:
    """Two tenants of one name would make the answer a matter of order."""
    other = replace(QUESTION, resource=cedar.records(DataClass.TRAFFIC, "globex.example", ["eu"]))
    verdicts = evaluator(policy(f"{PERMIT};")).ask_all([QUESTION, other])

    assert not any(verdict.allowed for verdict in verdicts)


@pytest.mark.parametrize("entity_type", FORBIDDEN)
@pytest.mark.parametrize("jurisdiction", ["au", "eu", "in", "pk", "uk", "us"])
def test_partial_evaluation_denies_whoever_asks(policies: Policies, jurisdiction: str, entity_type: str) -> None:
    """With principal and context left unknown, Cedar itself comes to a denial: no value of theirs would change it."""
    assert policies.packs[jurisdiction].evaluator.is_forbidden_for_everyone(entity_type)


@pytest.mark.parametrize("entity_type", FORBIDDEN)
def test_the_invariants_hold_whatever_is_permitted_beside_them(policies: Policies, entity_type: str) -> None:
    """A pack that permitted a demand would be open to a judge; with the invariants it is closed to everybody."""
    permit = policy('permit (principal, action == Action::"demand", resource) when { principal.kind == "judge" };')

    assert not evaluator(permit).is_forbidden_for_everyone(entity_type)
    assert evaluator(permit, *policies.invariants).is_forbidden_for_everyone(entity_type)


@pytest.mark.parametrize("entity_type", FORBIDDEN)
@pytest.mark.parametrize("action", sorted(DATA_ACTIONS | SERVICE_ACTIONS))
def test_nothing_that_is_done_with_data_or_the_service_has_a_type_for_content(
    policies: Policies, action: str, entity_type: str
) -> None:
    """Lock 2: the question itself is ill-typed, with principal and context unknown, in every pack."""
    for pack in policies.packs.values():
        asked: dict[str, Any] = {"action": f'Action::"{action}"', "resource": f'{entity_type}::"x"'}
        answer = cedarpy.is_authorized_partial(
            asked, pack.evaluator._set, [cedar.forbidden(entity_type, "x").json], cedar.schema()
        )
        assert answer.decision is not cedarpy.Decision.Allow
        assert answer.residuals == {}
