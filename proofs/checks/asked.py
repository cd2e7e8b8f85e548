"""What authorities have asked for in a run: every kind of request under every pack, or the run shows too little."""

from typing import Any, Final

from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.lawful import shipped
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.proofs.evidence.scope import Scope

#: How data can be asked for: mode, and what is named.
_DATA: Final = (
    "stored, user", "stored, device", "stored, tenant", "stored, all-users", "preserve, user", "stream, user",
)  # fmt: skip
#: By the names that they are counted under.
NEEDS: Final = (
    *(f"demands for data: {how}" for how in _DATA),
    "demands to build something",
    "demands about the service",
    "requests in an emergency",
    "requests to identify somebody",
    "requests that say that they are tests",
    "requests that were withdrawn",
)


class NotAsked(Exception):
    """A run in which something was not asked for shows nothing about it."""


def examine(evidence: Evidence, report: Report) -> None:
    """Everything that can be asked for was asked for, under every shipped pack; in a full run under every instrument."""
    cases = [case for case in evidence.manifest.cases if case.answers]
    for case in cases:
        stated = case.request["authorisation"]
        report.examined("requests in an emergency", stated["urgency"] == "emergency")
        report.examined("requests to identify somebody", stated["purpose"] == "identify" and not stated["is_test"])
        report.examined("requests that say that they are tests", stated["is_test"])
        report.examined("requests that were withdrawn", _was_withdrawn(case))
        for demand in case.request["demands"]:
            report.examined(_kind(demand))
    instruments = {instrument.id for pack in shipped().packs.values() for instrument in pack.manifest.instruments}
    under = {case.instrument for case in cases}
    report.examined("instruments that were used", len(under))
    missing = instruments - under
    if evidence.quick:
        missing = {each.partition("/")[0] for each in instruments} - {each.partition("/")[0] for each in under}
    if missing and evidence.scope == Scope(quick=evidence.quick):
        raise NotAsked(f"nobody has asked for anything under {', '.join(sorted(missing))}")


def _kind(demand: dict[str, Any]) -> str:
    match demand["kind"]:
        case "data":
            targets = ", ".join(sorted({target["format"] for target in demand["targets"]}))
            return f"demands for data: {demand['mode']}, {targets}"
        case "capability":
            return "demands to build something"
        case kind:
            return f"demands about the {kind}"


def _was_withdrawn(case: Case) -> bool:
    return any(demand["outcome"] == "withdrawn" for demand in case.answers[-1]["demands"])
