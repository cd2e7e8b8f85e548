"""Closed forms: what leaves has no place for a sentence, and every value in it is one that the inventory explains."""

import csv
import io
import json
import types
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import Enum
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from blindrelay.policies import leaves
from blindrelay.policies.package import KINDS, FileName, Manifest, canonical
from blindrelay.policies.records import AccessRecord, Record, SubscriberRecord, TrafficRecord
from blindrelay.policies.stream import Gap, StreamEnd
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.checks.rows import Rows
from blindrelay.proofs.evidence import packages
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.proofs.evidence.packages import NotAPackage
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.notices import DisclosureNotice, NoticeBody, ServiceNotice
from blindrelay.protocol.transparency import leaf
from blindrelay.relay.inventory import FIELDS

#: What can leave, and what is public about it.
_LEAVES: Final = tuple(each for each in vars(leaves).values() if isinstance(each, type) and issubclass(each, leaf.Leaf))
MODELS: Final[tuple[type[BaseModel], ...]] = (
    Manifest, SubscriberRecord, AccessRecord, TrafficRecord, Gap, StreamEnd, DisclosureNotice, ServiceNotice, *_LEAVES,
)  # fmt: skip
#: Lines of a notice that are taken over from the register and the request. They are compared with those.
QUOTED: Final = {
    (DisclosureNotice, "id"): "case, demand and user",
    (DisclosureNotice, "authority"): "the register's name of the authority",
    (DisclosureNotice, "instrument"): "the request's instrument",
    (DisclosureNotice, "legal_reference"): "the request's reference",
    (ServiceNotice, "id"): "the change of the service",
    (ServiceNotice, "ordered_by"): "the register's name of the authority, or the operator's",
}
# An address is made of names that have a form of their own: see `blindrelay.protocol.address`.
_PLAIN: Final = (bool, int, datetime, date, UUID, IPv4Address, IPv6Address, UserAddress, DeviceAddress, types.NoneType)
_RECORDS: Final[dict[str, type[Record]]] = {
    "subscriber": SubscriberRecord,
    "access": AccessRecord,
    "traffic": TrafficRecord,
    "gap": Gap,
    "end": StreamEnd,
}


def examine(evidence: Evidence, report: Report) -> None:
    """The types, then everything that was handed out."""
    for model in MODELS:
        for where in open_places(model):
            report.find("open-type", where)
        report.examined("types of what leaves")
    _inventory(report)
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


# --- types


def open_places(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> Iterator[str]:
    """Every place of a model where something could stand that nobody has listed."""
    if model.model_config.get("extra") != "forbid":
        yield f"{model.__name__} takes keys that are not declared"
    if not model.model_config.get("frozen"):
        yield f"{model.__name__} can be changed after it was made"
    for name, field in model.model_fields.items():
        if (model, name) not in QUOTED:
            for why in _open(field.annotation, _patterns(field), seen | {model}):
                yield f"{model.__name__}.{name} {why}"


def _patterns(field: FieldInfo) -> list[Any]:
    return [*field.metadata]


def _open(kind: Any, metadata: list[Any], seen: frozenset[type]) -> Iterator[str]:  # noqa: PLR0912
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        inner, *more = typing.get_args(kind)
        yield from _open(inner, [*metadata, *more], seen)
    elif origin is typing.Literal or kind in _PLAIN:
        return
    elif origin in {typing.Union, types.UnionType}:
        for each in typing.get_args(kind):
            yield from _open(each, metadata, seen)
    elif origin in {tuple, frozenset}:
        for each in typing.get_args(kind):
            if each is not Ellipsis:
                yield from _open(each, [], seen)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        return
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            yield from open_places(kind, seen)
    elif kind is str:
        if not any(_closes(each) for each in metadata):
            yield "is a text without a form"
    elif hasattr(kind, "__value__"):
        yield from _open(kind.__value__, metadata, seen)
    else:
        yield f"is a {getattr(kind, '__name__', kind)}, which could hold anything"


def _closes(constraint: Any) -> bool:
    """Whether it is a pattern without room for a sentence: anchored, and without space."""
    pattern = getattr(constraint, "pattern", None)
    if isinstance(constraint, FieldInfo):
        return any(_closes(each) for each in constraint.metadata)
    if not isinstance(constraint, StringConstraints) and pattern is None:
        return False
    text = getattr(pattern, "pattern", pattern)
    return (
        isinstance(text, str)
        and text.startswith("^")
        and text.endswith("$")
        and " " not in text
        and "." not in _bare(text)
    )


def _bare(pattern: str) -> str:
    """A pattern without its escapes and character classes: a dot that is left stands for anything."""
    out, is_class, skip = "", False, False
    for character in pattern:
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif character == "[":
            is_class = True
        elif character == "]":
            is_class = False
        elif not is_class:
            out += character
    return out


def _inventory(report: Report) -> None:
    """Every disclosable field of the inventory is metadata, and nothing else is disclosable."""
    for field in FIELDS:
        report.examined("fields of the inventory")
        if field.disclosable and field.data_class.value not in {"SUBSCRIBER", "ACCESS", "TRAFFIC"}:
            report.find("open-type", f"{field.where} is disclosable and {field.data_class}")


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


# --- notices


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
    needs=("packages", "records", "records of real-time orders", "notices"),
    enough=(Stage.WAIT, Stage.ASK),
    examine=examine,
)
