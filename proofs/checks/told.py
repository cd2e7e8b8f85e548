"""Notices: whoever's records have left is told of it when it is due, and nobody else."""

import json

from blindrelay.policies.package import KINDS
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.evidence import packages
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.proofs.evidence.packages import NotAPackage
from blindrelay.protocol.address import DeviceAddress


def examine(evidence: Evidence, asked: dict[str, Case], report: Report) -> None:
    """Whoever's records left has been told by the end of the run, and nobody else. With an empty package none has left."""
    empty = {name for name, plain in evidence.packages.items() if _is_empty(plain)}
    told = {
        (notice["id"].rsplit("/", 1)[0], device)
        for device, notices in evidence.manifest.notices.items()
        for notice in map(json.loads, notices)
        if notice["kind"] == "disclosure"
    }
    expected = {
        (f"{case_id}/{demand}", device)
        for case_id, case in asked.items()
        for demand in case.packages
        if f"{case_id}/{demand}" not in empty
        for device in _devices_of(case, demand, evidence)
    }
    for name, device in sorted(expected):
        report.examined("notices that are due")
        if (name, device) not in told:
            report.find("untold", f"{device} was not told of the disclosure {name}")
    for name, device in sorted(told):
        case_id, _, demand = name.partition("/")
        case = asked.get(case_id)
        if case is None or device not in _devices_of(case, demand, evidence):
            report.find("untold", f"{device} was told of {name}, which is not about them")


def _is_empty(plain: bytes) -> bool:
    """Whether a package has no record in it. What is no package has something in it."""
    try:
        found = packages.files(plain)
    except NotAPackage:
        return False
    return not any(found.get(kind.json_file.value) for kind in KINDS.values())


def _devices_of(case: Case, demand: str, evidence: Evidence) -> list[str]:
    asked = next((each for each in case.request["demands"] if each["id"] == demand), None)
    targets = {(target["format"], target["value"]) for target in asked["targets"]} if asked else set()
    return [
        device
        for device in evidence.manifest.devices
        for address in (DeviceAddress.parse(device),)
        if ("user", str(address.owner)) in targets
        or any(kind == "device" and DeviceAddress.parse(value).owner == address.owner for kind, value in targets)
    ]
