"""A decision that the packs do not make is found, and so are packs that do not load."""

from typing import Any

import pytest

from blindrelay.policies.packs import Policies
from blindrelay.proofs.checks.deployed import policy
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.policy import CHECK
from blindrelay.proofs.checks.public_log import CaseFile
from blindrelay.relay.desk.assembly import load_policies
from support.somebody import Somebody


@pytest.fixture(scope="module")
def policies() -> Policies:
    """Those that come along."""
    return load_policies([])


def found(relay: Somebody, policies: Policies) -> set[str]:
    """What is found in the case file; the walk through all decisions is the same whatever is in there."""
    report = Report(CHECK.reasons)
    policy.decided(CaseFile(relay.data), policies, report)
    verdict = report.verdict("policy", 0)
    assert verdict.examined["decisions in the case file"]
    return {finding.reason for finding in verdict.findings}


def decision(change: Any, demand: str = "stored") -> Any:
    """Change what came of a demand."""
    return lambda body: [change(each) for each in body["decision"]["demands"] if each["demand_id"].startswith(demand)]


def give(data_class: str) -> Any:
    """As if this class had been granted."""

    def change(demand: dict[str, Any]) -> None:
        for each in demand["classes"]:
            if each["data_class"] == data_class:
                each.update(outcome="granted", ground=None)

    return change


def test_every_decision_of_an_honest_relay_can_be_made_again(delivered: Somebody, policies: Policies) -> None:
    """With the same outcome, to the last reason."""
    assert found(delivered, policies) == set()


def test_content_that_was_given(delivered: Somebody, policies: Policies) -> None:
    """By whatever policy: nothing may give it."""
    delivered.edit("decided", decision(give("CONTENT")))

    assert found(delivered, policies) == {"content-granted", "other-policies"}


def test_data_about_everybody_that_were_given(delivered: Somebody, policies: Policies) -> None:
    """A tenant is not somebody."""

    def change(demand: dict[str, Any]) -> None:
        for each in demand["classes"]:
            if each["outcome"] == "granted":
                each["targets"] = [{"format": "tenant", "value": "acme.example"}]

    delivered.edit("decided", decision(change))

    assert found(delivered, policies) == {"bulk-granted", "other-policies"}


def test_a_decision_that_was_written_by_hand(delivered: Somebody, policies: Policies) -> None:
    """It gives nothing that may not be given, and it is not what the packs say."""
    delivered.edit("decided", decision(lambda demand: demand.update(approvals_needed=5)))

    assert found(delivered, policies) == {"other-policies"}


def test_packs_that_are_others_by_now(delivered: Somebody, policies: Policies) -> None:
    """Their decisions cannot be made again. It is said, and no finding."""
    delivered.edit("decided", lambda body: body["decision"].update(policies_digest="0" * 64))
    report = Report(CHECK.reasons)

    policy.decided(CaseFile(delivered.data), policies, report)

    verdict = report.verdict("policy", 0)
    assert verdict.findings == ()
    assert "1 decisions that were made by other packs" in verdict.skipped[0]


def test_packs_that_do_not_load(waiting: Somebody) -> None:
    """The relay would not start with them."""
    (waiting.data / "packs").mkdir()
    (waiting.data / "blindrelay.toml").write_text(f'[desk]\npacks = ["{waiting.data}/packs"]\n')

    verdict = waiting.examine("policy")

    assert [finding.reason for finding in verdict.findings] == ["other-policies"]
    assert "the policies do not load" in verdict.findings[0].text
