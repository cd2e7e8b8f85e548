"""Policy in somebody's relay: its packs give nothing but metadata, and every decision in its case file is what they decide."""

from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError

from blindrelay.policies import engine
from blindrelay.policies.decision import Decision
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import LawfulRequest, TargetFormat
from blindrelay.policies.vocabulary import METADATA
from blindrelay.proofs.checks.deployed.model import Deployment, Examination
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.public_log import CaseFile
from blindrelay.proofs.evidence.lattice import nothing_permits, walk
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.assembly import load_policies
from blindrelay.relay.desk.steps import STEP
from blindrelay.relay.errors import BadConfiguration


def examine(deployment: Deployment, report: Report) -> None:
    """The packs that its configuration names, beside those that come along; then its case file."""
    own = deployment.settings.desk.packs
    try:
        policies = load_policies(own)
    except BadConfiguration as error:
        report.find("other-policies", str(error))
        return
    report.examined("packs", len(policies.packs))
    report.examined("packs of the operator's own", len(own))
    # Of those that come along the proof itself walks every use: see `blindrelay prove --check policy`.
    found = walk(policies, lambda request, facts: engine.decide(request, facts, policies), quick=not own)
    report.examined("decisions", found.decisions)
    report.examined("classes decided about", found.classes)
    for reason, texts in found.found.items():
        for text in texts:
            report.find(reason, text)
    for text in nothing_permits(policies, lambda request, facts: engine.decide(request, facts, policies)):
        report.find("default-allow", text)
    decided(CaseFile(deployment.data), policies, report)


def decided(file: CaseFile, policies: Policies, report: Report) -> None:
    """A decision can be made again from its case file; of packs that are others by now it is only looked at."""
    others = 0
    for case_id, step, request in _decisions(file):
        report.examined("decisions in the case file")
        _given(case_id, step.decision, report)
        if step.decision.policies_digest != policies.digest:
            others += 1
            continue
        report.examined("decisions that were made again")
        if engine.decide(request, step.facts, policies) != step.decision:
            report.find("other-policies", f"a decision of the case {case_id} is not what the relay's packs decide")
    if others:
        report.skip(f"{others} decisions that were made by other packs than these: they cannot be made again")


def _decisions(file: CaseFile) -> Iterator[tuple[str, steps.Decided, LawfulRequest]]:
    for case_id, rows in file.cases.items():
        request = None
        for row in rows:
            try:
                step = STEP.validate_json(row.body)
            except ValidationError:
                continue  # its form is another check's business
            if isinstance(step, steps.Received):
                request = step.request
            elif isinstance(step, steps.Decided) and request is not None:
                yield case_id, step, request


def _given(case_id: str, decision: Decision, report: Report) -> None:
    """Whatever it was decided by: nothing but metadata, of nobody but who was named."""
    for demand in decision.demands:
        for item in demand.classes:
            if not item.outcome.discloses:
                continue
            report.examined("classes that were given")
            if item.data_class not in METADATA:
                report.find("content-granted", f"{case_id}/{demand.demand_id} was given {item.data_class}")
            if any(target.format not in {TargetFormat.USER, TargetFormat.DEVICE} for target in item.targets):
                report.find("bulk-granted", f"{case_id}/{demand.demand_id} was given data of more than named accounts")
        if not demand.classes and demand.service is None and demand.outcome.discloses:
            report.find("capability-granted", f"{case_id}/{demand.demand_id} was given what is no data")


def unfit(deployment: Deployment) -> str:
    """Why this cannot be examined here, if so."""
    return "" if deployment.settings.desk.enabled else "this relay has no lawful desk, and so no policies"


EXAMINATION: Final = Examination(
    title="the relay's packs grant nothing but metadata, and every decision in its case file is what they decide",
    needs=("packs", "decisions"),
    examine=examine,
    unfit=unfit,
)
