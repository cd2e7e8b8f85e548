"""The policy check: an engine that gives too much is found, whatever it gives; and so are changed policies that load."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blindrelay.policies import engine
from blindrelay.policies.decision import ClassDecision, Decision, DemandDecision
from blindrelay.policies.locations import pack_folders
from blindrelay.policies.packs import Policies
from blindrelay.policies.reading import INVARIANTS
from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.vocabulary import DataClass, Outcome, Scope
from blindrelay.proofs.checks import policy
from blindrelay.proofs.evidence import lattice
from blindrelay.proofs.evidence.lawful import shipped
from support.proofs import evidence, reasons, report_for

Change = Callable[[Any, ClassDecision], ClassDecision]


@pytest.fixture(scope="module")
def one_pack() -> Policies:
    """One jurisdiction, so that it is walked in a moment."""
    return Policies({"eu": shipped().packs["eu"]}, shipped().invariants, shipped().digest)


def changing(policies: Policies, change: Change) -> lattice.Decide:
    """An engine of which each class's decision is changed."""

    def decide(request: Any, facts: Any) -> Decision:
        decision = engine.decide(request, facts, policies)
        demands = [
            replace(verdict, classes=tuple(change(demand, each) for each in verdict.classes))
            for demand, verdict in zip(request.demands, decision.demands, strict=True)
        ]
        return replace(decision, demands=tuple(demands))

    return decide


def grants_content(demand: Any, each: ClassDecision) -> ClassDecision:
    given = replace(each, outcome=Outcome.GRANTED, window=demand.window, targets=demand.targets)
    return given if each.data_class is DataClass.CONTENT else each


def grants_everybody(demand: Any, each: ClassDecision) -> ClassDecision:
    given = replace(each, outcome=Outcome.GRANTED, window=demand.window, targets=demand.targets)
    return given if demand.scope is Scope.ALL_USERS and each.data_class is DataClass.TRAFFIC else each


def widens(demand: Any, each: ClassDecision) -> ClassDecision:
    if not each.outcome.discloses or each.window is None:
        return each
    return replace(each, window=each.window.model_copy(update={"end": demand.window.end + timedelta(days=1)}))


def gives_another(_: Any, each: ClassDecision) -> ClassDecision:
    other = Target(format=TargetFormat.USER, value="somebody@else.example")
    return replace(each, targets=(*each.targets, other)) if each.outcome.discloses else each


def gives_without_a_permit(_: Any, each: ClassDecision) -> ClassDecision:
    return replace(each, reasons=()) if each.outcome.discloses else each


def keeps_keys(demand: Any, each: ClassDecision) -> ClassDecision:
    kept = replace(each, outcome=Outcome.PRESERVED, window=demand.window, targets=demand.targets)
    return kept if each.data_class is DataClass.KEYS else each


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (grants_content, "content-granted"),
        (keeps_keys, "content-granted"),
        (grants_everybody, "bulk-granted"),
        (widens, "widened"),
        (gives_another, "widened"),
        (gives_without_a_permit, "default-allow"),
    ],
)
def test_an_engine_that_gives_too_much_is_found(change: Change, reason: str, one_pack: Policies) -> None:
    """By the walk that the running relay is asked to do."""
    walked = lattice.walk(one_pack, changing(one_pack, change), quick=True)

    assert reason in walked.found


def test_the_engine_as_it_is(one_pack: Policies) -> None:
    """It decides, gives something, and nothing is found; sets are evaluated in part, too."""
    walked = lattice.walk(one_pack, lambda request, facts: engine.decide(request, facts, one_pack), quick=True)

    assert walked.found == {}
    assert walked.decisions
    assert walked.given
    assert walked.partial


def test_a_capability_that_is_built(one_pack: Policies) -> None:
    """Whatever it is, but for the export that there is; and nothing is decided without a reason."""

    def decide(request: Any, facts: Any) -> Decision:
        decision = engine.decide(request, facts, one_pack)
        built: list[DemandDecision] = [
            replace(each, outcome=Outcome.GRANTED, reasons=()) if not each.classes else each
            for each in decision.demands
        ]
        return replace(decision, demands=tuple(built))

    walked = lattice.walk(one_pack, decide, quick=True)

    assert {"capability-granted", "no-reason"} <= walked.found.keys()


def test_a_set_whose_forbids_depend_on_something(one_pack: Policies) -> None:
    """It denies content in every case that is tried, and is found by what a missing attribute would do."""
    conditional = tuple(
        replace(each, text=replace(each.text, text=each.text.text.rstrip().rstrip(";") + " when { context has x };"))
        if each.effect == "forbid"
        else each
        for each in one_pack.invariants
    )
    weaker = Policies(one_pack.packs, conditional, one_pack.digest)

    walked = lattice.walk(weaker, lambda request, facts: engine.decide(request, facts, one_pack), quick=True)

    assert list(walked.found) == ["not-forbidden"]


def test_other_policies_than_those_that_are_shipped(tmp_path: Path) -> None:
    """A relay whose digest is another one, or that has fewer packs."""
    report = report_for("policy")
    run = evidence(tmp_path, policies={"digest": shipped().digest, "packs": ["us"]})
    run.scope = replace(run.scope, reasons=("other-policies",))

    policy.examine(run, report)

    assert reasons(report) == ["other-policies"]


def test_every_mutant_is_a_change() -> None:
    """A policy that is the same as before is none; every policy of every pack has some."""
    mutants = list(policy._mutants())

    assert all(mutant.text != mutant.policy.text for mutant in mutants)
    assert {mutant.pack.name for mutant in mutants} == {folder.name for folder in pack_folders()}
    assert len({(mutant.policy.file, mutant.policy.line) for mutant in mutants}) > 100


def test_a_mutant_that_loads_and_gives_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader that lets it pass, or an engine that follows it."""
    mutant = next(each for each in policy._mutants() if each.pack.name == INVARIANTS)
    monkeypatch.setattr(policy, "_changed", lambda *_: [folder for folder in pack_folders() if folder.name == "eu"])
    monkeypatch.setattr(
        policy,
        "walk",
        lambda policies, _, *, quick: lattice.walk(policies, changing(policies, grants_content), quick=quick),
    )
    report = report_for("policy")

    policy._try(mutant, tmp_path / "mutant", report)

    assert reasons(report) == ["mutant-gives", "mutant-loads"]
