"""Reconciliation: requests, decisions, approvals, packages and notices match one to one, and a package is no more than its
request."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindrelay.policies.package import KINDS
from blindrelay.policies.records import AccessRecord, Record, TrafficRecord
from blindrelay.policies.vocabulary import DataClass
from blindrelay.proofs.checks import asked, told
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.checks.rows import Rows, read
from blindrelay.proofs.evidence import packages
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.proofs.evidence.packages import NotAPackage
from blindrelay.proofs.evidence.scope import Stage

_GENESIS: Final = "0" * 64
_SEALED: Final = ("case_id", "sequence", "authority_id", "at", "step", "body", "once")
_NO_CASES: Final = frozenset({"register", "door", "lists"})
_HOUR: Final = timedelta(hours=1)
_GIVES: Final = frozenset({"granted", "narrowed"})
#: What an authority is told as long as nothing has been decided.
_UNDECIDED: Final = frozenset({"received", "authenticated"})
_HELD: Final = ("held", None, ())


@dataclass(frozen=True)
class File:
    """A case file as it is on disk, read with SQLite and a hash function alone."""

    path: Path

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Every row, in the order in which they were written."""
        names = (*_SEALED, "previous", "digest")
        found = read(self.path, f"SELECT {', '.join(names)} FROM case_event ORDER BY id")  # noqa: S608 - our own names
        return [dict(zip(names, row, strict=True)) for row in found]

    def of(self, case_id: str, *steps: str) -> list[dict[str, Any]]:
        """The rows of a case, of these kinds, with their bodies parsed."""
        rows = self._by_case.get(case_id, ())
        return [{**row, "body": json.loads(row["body"])} for row in rows if row["step"] in steps]

    @cached_property
    def _by_case(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows:
            found.setdefault(row["case_id"], []).append(row)
        return found

    @cached_property
    def cases(self) -> list[str]:
        """All cases."""
        return list(dict.fromkeys(row["case_id"] for row in self.rows if row["case_id"] not in _NO_CASES))


def examine(evidence: Evidence, report: Report) -> None:
    """From the authorities' side to the case file, and back."""
    file = File(evidence.disk("aged") / "desk.sqlite")
    chain(file, report)
    ours = {case.case_id: case for case in evidence.manifest.cases if case.case_id}
    for case_id in file.cases:
        if case_id not in ours:
            report.find("unasked", f"there is a case {case_id} that no authority of this run has asked for")
    asked.examine(evidence, report)
    rows = Rows(evidence)
    for case in ours.values():
        report.examined("cases")
        _case(case, file, report)
        for demand in case.packages:
            _package(evidence, case, demand, file, rows, report)
        _streams(case, rows, report)
    for case_id in file.cases:
        released(case_id, file, ours.get(case_id), report)
    told.examine(evidence, ours, report)
    for probe in evidence.manifest.probes:
        if probe.about == "desk":
            report.examined("things tried that must not work")
            if not probe.refused:
                report.find(probe.name, f"{probe.tried}: {probe.answer}")


def chain(file: File, report: Report) -> None:
    """Each row seals those before it."""
    previous = _GENESIS
    for row in file.rows:
        report.examined("rows of the case file")
        values = [row[name] for name in _SEALED]
        digest = sha256(json.dumps([previous, *values], separators=(",", ":")).encode()).hexdigest()
        if row["previous"] != previous or row["digest"] != digest:
            report.find(
                "chain", f"row {row['sequence']} of {row['case_id']} ({row['step']}) is not the one that was written"
            )
        previous = row["digest"]


def _case(case: Case, file: File, report: Report) -> None:
    """What was asked is what was written down, and what was told is what was decided."""
    received = file.of(str(case.case_id), "received")
    if len(received) != 1 or not same(received[0]["body"]["request"], case.request):
        report.find("unasked", f"the request of case {case.case_id} is not the one that {case.authority} has signed")
    decided = [row["body"]["decision"] for row in file.of(str(case.case_id), "decided", "undecided")]
    verdicts = {(each["demand_id"], _verdict(each)) for one in decided for each in one["demands"]}
    for answer in case.answers:
        report.examined("answers compared with the case file")
        said = {demand["demand_id"]: _verdict(demand) for demand in answer["demands"]}
        if answer["state"] in _UNDECIDED and set(said.values()) == {_HELD}:
            continue
        if answer["state"] == "withdrawn" and _withdrawn(case, file):
            continue  # it is told that nothing is given any more
        # What was final stays as it was decided first, whatever is decided later: so each demand counts by itself.
        if not all((demand, verdict) in verdicts for demand, verdict in said.items()):
            report.find(
                "edited", f"what {case.authority} was told of case {case.case_id} is no decision in the case file"
            )


def _withdrawn(case: Case, file: File) -> bool:
    """Whether the authority has taken its request back, by the case file."""
    happened = file.of(str(case.case_id), "happened")
    return any((row["body"]["kind"], row["body"]["by"]) == ("withdrawal", case.authority) for row in happened)


def same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str) or _sorted(
        one
    ) == _sorted(other)


def _sorted(value: Any) -> Any:
    """Sets come in any order, and moments in more than one form."""
    if isinstance(value, dict):
        return {key: _sorted(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True, default=str))
    if isinstance(value, str) and value[:4].isdigit() and "T" in value:
        return datetime.fromisoformat(value).timestamp()
    return value


def _verdict(demand: dict[str, Any]) -> Any:
    classes = sorted((each["data_class"], each["outcome"], each["ground"]) for each in demand["classes"])
    return demand["outcome"], demand["ground"], tuple(classes)


# --- packages


def _package(evidence: Evidence, case: Case, demand: str, file: File, rows: Rows, report: Report) -> None:
    report.examined("packages")
    name = f"{case.case_id}/{demand}"
    sealed = (evidence.folder / case.packages[demand]).read_bytes()
    digest = sha256(sealed).hexdigest()
    made = [row for row in file.of(str(case.case_id), "packaged") if row["body"]["demand"] == demand]
    if not any(row["body"]["digest"] == digest for row in made):
        report.find("not-recorded", f"the package {name} was handed over, and the case file has no such package")
    if not any(row["body"]["demand"] == demand for row in file.of(str(case.case_id), "released")):
        report.find("not-recorded", f"the package {name} was handed over, and that is not written down")
    asked = next(each for each in case.request["demands"] if each["id"] == demand)
    targets = {target["value"] for target in asked["targets"]}
    accounts = rows.accounts_of(targets)
    start, end = (datetime.fromisoformat(asked["window"][side]) for side in ("start", "end"))
    for record in _records(evidence.packages[name]):
        data_class = next(each for each, kind in KINDS.items() if isinstance(record, kind.model))
        report.examined(_of(data_class))
        if data_class.value not in asked["classes"] or not _grants(case, demand, data_class):
            report.find("not-granted", f"the package {name} has a record of {data_class}, which was not granted")
        mine = {getattr(record, field, None) for field in ("account_id", "sender_id", "recipient_id")} & accounts
        if not mine:
            report.find(
                "bystander",
                f"the package {name} has a record that is not about {', '.join(sorted(targets))}: {record!r:.160}",
            )
        if not _within(record, start, end):
            report.find(
                "too-wide", f"the package {name} has a record from outside of {start} to {end}: {record!r:.160}"
            )


def _of(data_class: DataClass) -> str:
    """What they are counted under: each class by itself, or one that no package has would not be missed."""
    return f"records of {data_class}"


def _grants(case: Case, demand: str, data_class: DataClass) -> bool:
    return any(
        each["data_class"] == data_class.value and each["outcome"] in _GIVES
        for answer in case.answers
        for verdict in answer["demands"]
        if verdict["demand_id"] == demand
        for each in verdict["classes"]
    )


def _records(plain: bytes) -> Iterator[Record]:
    try:
        found = packages.files(plain)
    except NotAPackage:
        return
    for kind in KINDS.values():
        for line in found.get(kind.json_file.value, b"").splitlines():
            try:
                yield kind.model.model_validate_json(line)
            except ValueError:
                continue  # its form is another check's business


def _within(record: Record, start: datetime, end: datetime) -> bool:
    match record:
        case TrafficRecord():
            return start <= record.accepted < end
        case AccessRecord():  # kept by the hour: one that began in the hour of the start may have been within
            return start - _HOUR < record.opened < end
    return True


def released(case_id: str, file: File, case: Case | None, report: Report) -> None:
    """Nothing is released without its approvals, and nothing twice in two packages."""
    for row in file.of(case_id, "packaged"):
        demand, grant = row["body"]["demand"], row["body"]["grant"]
        report.examined("releases compared with their approvals")
        decisions = file.of(case_id, "decided")
        needed = max(
            (
                int(each["approvals_needed"])
                for one in decisions
                for each in one["body"]["decision"]["demands"]
                if each["demand_id"] == demand
            ),
            default=0,
        )
        approved = {
            each["body"]["by"]
            for each in file.of(case_id, "approved")
            if (each["body"]["demand"], each["body"]["grant"]) == (demand, grant)
        }
        if len(approved) < needed or not decisions:
            report.find("unapproved", f"{case_id}/{demand} was released with {len(approved)} of {needed} approvals")
        if case is not None and set(case.approvals.get(demand, ())) != approved:
            report.find(
                "unapproved", f"{case_id}/{demand}: the case file names {sorted(approved)}, and others have approved"
            )


# --- real-time orders


def _streams(case: Case, rows: Rows, report: Report) -> None:
    for came, is_late in ((case.streams, False), (case.after_end, True)):
        for demand, records in came.items():
            asked = next(each for each in case.request["demands"] if each["id"] == demand)
            end = datetime.fromisoformat(asked["window"]["end"])
            start = datetime.fromisoformat(asked["window"]["start"])
            accounts = rows.accounts_of({target["value"] for target in asked["targets"]})
            for record in records:
                report.examined("records of real-time orders")
                moment = record.get("accepted") or record.get("opened")
                if moment is None:
                    continue
                at = datetime.fromisoformat(moment)
                if at >= end or at < start - _HOUR:
                    late = ", read after its end" if is_late else ""
                    report.find(
                        "outlived", f"the real-time order {case.case_id}/{demand} of {start} to {end} has {at}{late}"
                    )
                if not {record.get(name) for name in ("account_id", "sender_id", "recipient_id")} & accounts:
                    report.find(
                        "bystander", f"the real-time order {case.case_id}/{demand} has a record of somebody else"
                    )


CHECK: Final = Check(
    name="reconciliation",
    lock=Lock.ACCOUNTABILITY,
    title="requests, decisions, approvals, packages and notices match one to one, and nothing is more than was asked for",
    reasons={
        "unasked": "a case that nobody has asked for, or another request than was signed",
        "edited": "an authority was told something else than the case file has",
        "chain": "a row of the case file is not the one that was written",
        "not-recorded": "a package was handed over that is not written down",
        "unapproved": "something was released without the approvals that it takes",
        "not-granted": "a package has records of a class that was not granted",
        "too-wide": "a package has records from outside of the window that was asked for",
        "bystander": "a package or a real-time order has records that are not about its targets",
        "outlived": "a real-time order has delivered what happened before its start or after its end",
        "untold": "somebody whose records left was not told when it was due, or somebody else was",
        "forged-emergency": "an emergency that nobody in the register has signed was taken",
        "replayed-call": "a signed call was served twice",
        "anothers-case": "an authority was told of another's case",
    },
    needs=(
        "rows of the case file",
        "cases",
        "packages",
        *map(_of, KINDS),
        "notices that are due",
        "things tried that must not work",
        *asked.NEEDS,
    ),
    enough=(Stage.WAIT, Stage.ASK, Stage.AGE),
    examine=examine,
)
