"""Every expectation about a decision has been seen to hold, and to fail."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from blindrelay.policies.decision import ClassDecision, DemandDecision, Reason
from blindrelay.policies.request import Target, TargetFormat, Timespan
from blindrelay.policies.scenarios.expectations import ClassExpectation, DemandExpectation
from blindrelay.policies.vocabulary import DataClass, Ground, Mark, Outcome, ServiceAction, TaskStatus
from blindrelay.proofs.scenarios.checks import compare_demand
from blindrelay.proofs.scenarios.comparison import Comparison
from blindrelay.proofs.scenarios.results import Finding

DAY = datetime(2026, 3, 10, tzinfo=UTC)
LATER = datetime(2026, 3, 20, tzinfo=UTC)
WHY = Reason("us/us-d-order-traffic", "A court's order reaches it.", "18 USC 2703(d)", Mark.UNCONFIRMED, "us.cedar:1")
ALICE = Target(format=TargetFormat.USER, value="alice@acme.example")
ONE = ClassDecision(
    DataClass.TRAFFIC,
    Outcome.NARROWED,
    Ground.OUT_OF_REACH,
    TaskStatus.AWAITING_APPROVAL,
    (ALICE,),
    Timespan(start=DAY, end=LATER),
    (WHY,),
    law="The law says more.",
    would_change=("A warrant of a judge.",),
)
DECISION = DemandDecision(
    "data",
    Outcome.NARROWED,
    Ground.OUT_OF_REACH,
    TaskStatus.AWAITING_APPROVAL,
    (ONE,),
    (WHY,),
    law="The law says more.",
    would_change=("A warrant of a judge.",),
    redirect_to="acme.example",
    release_not_before=LATER,
    deadline=LATER,
    preserved_until=LATER,
    stream=Timespan(start=DAY, end=LATER),
    approvals_needed=2,
    use_restriction="Not to be used for 96 hours.",
    follow_up_due=LATER,
    service=ServiceAction.SUSPEND,
    service_effective=LATER,
    escalate_to_counsel=True,
)
#: Of each expectation, what holds of the decision, and what does not.
DEMAND: dict[str, tuple[Any, list[Any]]] = {
    "outcome": ("narrowed", ["granted"]),
    "ground": ("out-of-reach", ["bulk", None]),
    "status": ("AwaitingApproval", ["Disclosed"]),
    "classes": ({"TRAFFIC": "narrowed"}, [{"TRAFFIC": "granted"}, {"ACCESS": "narrowed"}]),
    "policy": ("us/us-d-order-*", ["eu/*"]),
    "reason": ("COURT'S ORDER", ["a subpoena"]),
    "law": ("says more", ["says less", None]),
    "would_change": ("of a judge", ["of a minister"]),
    "redirect_to": ("acme.example", ["globex.example", None]),
    "release_not_before": ("2026-03-20", ["2026-03-19", None]),
    "deadline": ("2026-03-20", ["2026-03-19", None]),
    "preserved_until": ("2026-03-20", ["2026-03-19", None]),
    "stream": ({"from": "2026-03-10", "until": "2026-03-20"}, [{"from": "2026-03-11"}, {"until": "2026-03-21"}, None]),
    "use_restriction": ("96 hours", ["48 hours", None]),
    "follow_up_due": ("2026-03-20", ["2026-03-19", None]),
    "approvals_needed": (2, [1]),
    "escalates": (True, [False]),
    "rests_on_unconfirmed": (True, [False]),
    "service": ("suspend", ["resume", None]),
    "service_effective": ("2026-03-20", ["2026-03-19", None]),
}
CLASS: dict[str, tuple[Any, list[Any]]] = {
    "outcome": ("narrowed", ["granted"]),
    "ground": ("out-of-reach", ["bulk", None]),
    "status": ("AwaitingApproval", ["Disclosed"]),
    "policy": ("us/us-d-order-*", ["eu/*"]),
    "reason": ("2703(d)", ["2703(c)"]),
    "law": ("says more", ["says less", None]),
    "would_change": ("of a judge", ["of a minister"]),
    "targets": (["alice@acme.example"], [[], ["bob@acme.example"]]),
    "window": ({"from": "2026-03-10", "until": "2026-03-20"}, [{"from": "2026-03-11"}, {"until": "2026-03-21"}, None]),
}


def findings(**expected: Any) -> list[Finding]:
    """What is found when this is expected of the decision."""
    comparison = Comparison("decisions.first/data")
    compare_demand(DemandExpectation.model_validate(expected), DECISION, comparison)
    assert comparison.checked
    return comparison.findings


def of_class(**expected: Any) -> list[Finding]:
    """The same about its one class."""
    return findings(classes={"TRAFFIC": {"outcome": "narrowed", **expected}})


@pytest.mark.parametrize("key", DEMAND)
def test_what_is_so_is_found_to_be_so(key: str) -> None:
    """No finding for what holds."""
    assert findings(**{key: DEMAND[key][0]}) == []


@pytest.mark.parametrize(("key", "wrong"), [(key, wrong) for key, (_, bad) in DEMAND.items() for wrong in bad])
def test_what_is_not_so_is_found(key: str, wrong: Any) -> None:
    """One finding, which names the expectation."""
    (finding,) = findings(**{key: wrong})

    part = "TRAFFIC" if wrong == {"TRAFFIC": "granted"} else "ACCESS" if key == "classes" else key
    assert finding.where.startswith(f"decisions.first/data.{part}")
    assert finding.expected != finding.found


@pytest.mark.parametrize("key", CLASS)
def test_what_is_so_of_a_class_is_found_to_be_so(key: str) -> None:
    """No finding for what holds."""
    assert of_class(**{key: CLASS[key][0]}) == []


@pytest.mark.parametrize(("key", "wrong"), [(key, wrong) for key, (_, bad) in CLASS.items() for wrong in bad])
def test_what_is_not_so_of_a_class_is_found(key: str, wrong: Any) -> None:
    """One finding, which names class and expectation."""
    (finding,) = of_class(**{key: wrong})

    assert finding.where.startswith(f"decisions.first/data.TRAFFIC.{key}")


@pytest.mark.parametrize(("model", "table"), [(DemandExpectation, DEMAND), (ClassExpectation, CLASS)])
def test_no_expectation_is_left_out(model: type[BaseModel], table: dict[str, Any]) -> None:
    """A new one has to be in the tables above: nobody believes an expectation that was never seen to fail."""
    assert set(table) == set(model.model_fields)


def test_what_is_not_expected_is_not_looked_at() -> None:
    """An outcome alone says nothing about the rest."""
    comparison = Comparison("decisions.first/data")
    compare_demand(Outcome.NARROWED, DECISION, comparison)

    assert (comparison.findings, comparison.checked) == ([], 1)
