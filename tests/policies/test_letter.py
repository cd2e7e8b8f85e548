"""The letter: a decision in sentences, each with what it rests on."""

import re

from blindrelay.policies import letter
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import LawfulRequest, NonDisclosure
from blindrelay.policies.vocabulary import AuthorityKind, Capability, DataClass, Ground, Outcome
from support.lawful import ALICE, BOB, DAY, NOBODY, RECEIVED, capability, data, decided, facts, request


def written(policies: Policies, made: LawfulRequest, **about: object) -> str:
    """The letter about a request."""
    return letter.write(decided(policies, made, **about), made, policies, facts(made))


def test_there_are_words_for_everything_that_can_come_of_a_demand() -> None:
    """An outcome or a ground without words would be a letter that is not sent."""
    assert set(letter.OUTCOMES) == set(Outcome)
    assert set(letter.GROUNDS) == set(Ground)


def test_each_class_is_answered_with_its_policy_its_statute_and_its_place(policies: Policies) -> None:
    """Whoever reads it can look up what decided: the policy's id, what it rests on, file and line."""
    asked = request("us/search-warrant", data(*DataClass))
    decision = decided(policies, asked)
    text = letter.write(decision, asked, policies, facts(asked))

    assert len(decision.demands[0].classes) == len(DataClass)
    for found in decision.demands[0].classes:
        for reason in found.reasons:
            basis = "; ".join(part for part in (reason.policy_id, reason.source, reason.location) if part)
            assert f"{reason.text} [{basis}]" in text
    assert re.search(r"us/us-search-warrant-traffic; [^;]+; packs/us/stored\.cedar:\d+", text)
    assert "Content: refused, since the relay does not have it." in text
    assert decision.policies_digest in text
    assert letter.NO_ADVICE in text


def test_what_would_have_had_to_differ_is_said(policies: Policies) -> None:
    """A refusal names the instrument that would do."""
    text = written(policies, request("us/subpoena", data(DataClass.TRAFFIC), issued_by=AuthorityKind.PROSECUTOR))

    assert "Traffic records: refused, since the instrument does not reach it." in text
    assert "What would have had to differ: An instrument that reaches traffic records: Court order for records" in text


def test_the_law_is_beside_the_operators_policy(policies: Policies) -> None:
    """A capability that the law may compel is refused as the operator's position, in the same letter."""
    notice = request(
        "uk/technical-capability-notice",
        capability(Capability.GHOST_DEVICE),
        issued_by=AuthorityKind.MINISTER_WITH_COMMISSIONER,
    )
    text = written(policies, notice)

    assert "the law may compel what is refused here. The refusal is the position of the operator." in text
    assert not re.search(r"\b(void|invalid|unlawful)\b", text)


def test_nobody_is_named_of_whom_nothing_is_granted(policies: Policies) -> None:
    """A refusal about somebody and one about nobody differ in no word."""
    texts = {
        written(policies, request("us/subpoena", data(DataClass.TRAFFIC, targets=[target])))
        for target in (BOB, ALICE, NOBODY)
    }

    assert len(texts) == 1


def test_when_the_users_are_told(policies: Policies) -> None:
    """At once, on a day, or not while nobody has said when: the authority reads what will be done."""
    until = RECEIVED + 90 * DAY
    orders = {
        "they are told as soon as records have left": None,
        "are told on 9 December 2026 10:00:00 UTC, and not before": until,
        "It states no end, and is looked at again after a year": ...,
    }
    for said, end in orders.items():
        gag = None if end is None else NonDisclosure(legal_basis="18 USC 2705(b)", until=None if end is ... else end)
        assert said in written(policies, request("us/d-order", data(), non_disclosure=gag))


def test_a_test_is_answered_as_one(policies: Policies) -> None:
    """What would have come of it, and that nothing does: no approvals are awaited and nobody is told."""
    text = written(policies, request("us/d-order", data(), is_test=True))

    assert (
        "nothing is disclosed, kept or changed because of it. What follows is how it would have been decided." in text
    )
    assert "Traffic records: granted." in text
    assert "different persons" not in text
    assert "told" not in text


def test_a_decision_that_rests_on_what_nobody_could_confirm_says_so(policies: Policies) -> None:
    """Facts of mark U are named at the end, each with its source."""
    harmless = request("eu/epoc-identify", data(DataClass.SUBSCRIBER), issued_by=AuthorityKind.PROSECUTOR)
    text = written(policies, harmless, kind=AuthorityKind.PROSECUTOR)

    assert "This decision rests on facts that the operator has not been able to confirm: engine/controller" in text
