"""Closed forms: what leaves has no place for a sentence, and every value in it is one that the inventory explains."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from pydantic import ValidationError

from blindrelay.policies import leaves
from blindrelay.policies.package import KINDS, FileName, Manifest, canonical
from blindrelay.policies.records import AccessRecord, Record, SubscriberRecord, TrafficRecord
from blindrelay.policies.stream import Gap, StreamEnd
from blindrelay.proofs.checks import closed, explained
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.checks.public_log import entries_of, tree_of, trust_of
from blindrelay.proofs.checks.rows import Rows, read
from blindrelay.proofs.evidence import packages
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.proofs.evidence.packages import NotAPackage
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.notices import DisclosureNotice, NoticeBody
from blindrelay.protocol.transparency import directory

_RECORDS: Final[dict[str, type[Record]]] = {
    "subscriber": SubscriberRecord,
    "access": AccessRecord,
    "traffic": TrafficRecord,
    "gap": Gap,
    "end": StreamEnd,
}


def examine(evidence: Evidence, report: Report) -> None:
    """The types, then everything that was handed out."""
    for model in closed.MODELS:
        for where in closed.open_places(model):
            report.find("open-type", where)
        report.examined("types of what leaves")
    explained.examine(report)
    rows = Rows(evidence)
    for name, plain in evidence.packages.items():
        report.examined("packages")
        _package(name, plain, rows, report)
    for case in evidence.manifest.cases:
        for demand, records in (*case.streams.items(), *case.after_end.items()):
            for record in records:
                report.examined("records of real-time orders")
                _record(f"the stream {case.case_id}/{demand}", json.dumps(record).encode(), rows, report, exact=False)
    _notices(evidence, report)
    asyncio.run(_entries(evidence, report))


# --- packages


def _package(name: str, plain: bytes, rows: Rows, report: Report) -> None:
    try:
        found = packages.files(plain)
    except NotAPackage as error:
        report.find("not-canonical", f"the package {name}: {error}")
        return
    known = {each.value for each in FileName}
    for file in set(found) - known:
        report.find("unknown-file", f"the package {name} has {file}: {found[file][:80]!r}")
    manifest = _manifest(name, found.get(FileName.MANIFEST, b""), report)
    if manifest is None:
        return
    stated = {entry.name.value: entry for entry in manifest.files}
    for file, data in found.items():
        if file in {FileName.MANIFEST, FileName.SIGNATURE, *(set(found) - known)}:
            continue
        entry = stated.get(file)
        if entry is None or (entry.size, entry.sha256) != (len(data), sha256(data).hexdigest()):
            report.find("not-canonical", f"the package {name}: {file} is not what the manifest says")
    for kind in KINDS.values():
        lines = found.get(kind.json_file, b"").splitlines()
        records = [_record(f"the package {name}", line, rows, report) for line in lines]
        _table(f"the package {name}", found.get(kind.csv_file, b""), kind.fields, records, report)


def _manifest(name: str, data: bytes, report: Report) -> Manifest | None:
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        report.find(
            "not-canonical", f"the manifest of {name} is not of its form: {error.errors()[0]['msg']} in {data[:80]!r}"
        )
        return None
    if canonical(manifest) != data:
        report.find("not-canonical", f"the manifest of {name} has another form, or more in it")
    return manifest


def _record(where: str, line: bytes, rows: Rows, report: Report, *, exact: bool = True) -> Record | None:
    report.examined("records")
    kind = _RECORDS.get(json.loads(line).get("record")) if line.startswith(b"{") else None
    if kind is None:
        report.find("not-canonical", f"{where}: a line that is no record: {line[:120]!r}")
        return None
    try:
        record = kind.model_validate_json(line)
    except ValidationError as error:
        report.find(
            "not-canonical", f"{where}: a record that is not of its form: {error.errors()[0]['loc']} in {line[:120]!r}"
        )
        return None
    if exact and canonical(record) != line:
        report.find("not-canonical", f"{where}: a record has another form, or more in it: {line[:160]!r}")
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, datetime) and (value.microsecond or value.utcoffset() != UTC.utcoffset(None)):
            report.find("granularity", f"{where}: {name} = {value.isoformat()} is finer than it is kept")
    for why in rows.unexplained(record):
        report.find("unexplained", f"{where}: {why}")
    return record


def _table(where: str, data: bytes, fields: tuple[str, ...], records: list[Record | None], report: Report) -> None:
    """The CSV file says the same, in the same order."""
    if not data:
        return
    found = list(csv.reader(io.StringIO(data.decode("ascii", "replace"))))
    expected = [list(fields)] + [
        ["" if (value := json.loads(canonical(record))[field]) is None else str(value) for field in fields]
        for record in records
        if record is not None
    ]
    if found != expected:
        report.find("not-canonical", f"{where}: a table says something else than the records")


# --- public logs and notices


async def _entries(evidence: Evidence, report: Report) -> None:
    """Each entry of a public log, as it is on disk at the end, is one of the kinds that there are, in its one form."""
    folder = evidence.disk(evidence.moments[-1])
    for name, parse in ((directory.NAME, directory.parse), (leaves.NAME, leaves.parse)):
        for at, entry in enumerate(await entries_of(tree_of(folder, name, trust_of(folder, name)))):
            report.examined("entries of public logs")
            try:
                again = parse(entry).encode()
            except (Malformed, ValueError) as error:
                report.find("not-canonical", f"entry {at} of the log {name} is not of its form: {error}")
                continue
            if again != entry:
                report.find("not-canonical", f"entry {at} of the log {name} has another form, or more in it")
    for key, body in read(folder / "relay.db", "SELECT key, body FROM notice"):
        report.examined("notices as they are signed")
        try:
            again = NoticeBody.model_validate_json(body).model_dump_json().encode()
        except ValidationError as error:
            report.find("not-canonical", f"the notice {key} is not of its form: {error.errors()[0]['loc']}")
            continue
        if again != body:
            report.find("not-canonical", f"the notice {key} has another form, or more in it")


def _notices(evidence: Evidence, report: Report) -> None:
    by_case: dict[str | None, Case] = {case.case_id: case for case in evidence.manifest.cases if case.case_id}
    seen: set[str] = set()
    for device, notices in evidence.manifest.notices.items():
        for text in notices:
            report.examined("notices")
            try:
                notice = NoticeBody.model_validate({"notice": json.loads(text)}).notice
            except ValidationError as error:
                report.find("not-canonical", f"what {device} was told is no notice: {error.errors()[0]['loc']}")
                continue
            if isinstance(notice, DisclosureNotice) and text not in seen:
                seen.add(text)
                _quoted(notice, by_case, report)


def _quoted(notice: DisclosureNotice, by_case: dict[str | None, Case], report: Report) -> None:
    case_id, demand, user = notice.id.split("/", 2)
    case = by_case.get(case_id)
    if case is None:
        report.find("unexplained", f"a notice names a case that there is not: {notice.id!r:.120}")
        return
    demands = {each["id"] for each in case.request["demands"]}
    jurisdiction, _, kind = case.authority.partition("-")
    expected = {
        "id": f"{case_id}/{demand}/{notice.user}" if demand in demands else None,
        "authority": f"The {kind} of {jurisdiction}",
        "instrument": case.instrument,
        "legal_reference": case.request["authorisation"]["reference"],
    }
    for name, value in expected.items():
        if getattr(notice, name) != value:
            report.find(
                "unexplained", f"a notice to {user} says {name} = {getattr(notice, name)!r:.120}, which nobody has"
            )


CHECK: Final = Check(
    name="forms",
    lock=Lock.FORM,
    title="what leaves is of a closed form, and every value in it is explained by a row of the inventory",
    reasons={
        "open-type": "a type of what leaves could hold a sentence, bytes, or a key that is not declared",
        "not-canonical": "something that was handed out has another form than the one that there is, or more in it",
        "unknown-file": "a package holds a file that packages do not have",
        "granularity": "a time is finer than it is kept",
        "unexplained": "a value is not that of a row in the relay's tables, or of the request",
    },
    needs=(
        "packages",
        "records",
        "records of real-time orders",
        "notices",
        "notices as they are signed",
        "entries of public logs",
        "fields of records that the inventory explains",
    ),
    enough=(Stage.WAIT, Stage.ASK),
    examine=examine,
)
