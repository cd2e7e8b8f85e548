"""Log leaves: each step of a case is in the public log, told of when the law allows it and not before; each package that was
handed over is the one of its entry; each device in the directory's log is one that its enterprise has enrolled."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from blindrelay.clients.auditor.tree import VerifiedTree
from blindrelay.clients.authority.receipt import ReceiptRejected, verify
from blindrelay.clients.errors import LogRejected
from blindrelay.policies import leaves
from blindrelay.policies.leaves import Commitment, Receipt, case_label
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.checks.public_log import CaseFile, entries_of, head_of, leaf, step_of, told, tree_of, trust_of
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Case as Asked
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency import directory
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.leaves import told_of
from blindrelay.relay.desk.report import is_silent
from blindrelay.relay.transparency.assembly import FOLDER

#: What the auditor's checks are about, as reasons of this one.
_AUDITED: Final = {"accounts": "disorder", "report": "report", "package": "receipt"}
#: At this moment the relay had done what was due.
_SETTLED: Final = "aged"


def examine(evidence: Evidence, report: Report) -> None:
    """The auditor's findings, then what only the relay's own files can show."""
    for audited in evidence.manifest.audits:
        report.examined("findings of the auditor")
        for sentence in audited.wrong:
            report.find(_AUDITED.get(audited.check, "log"), f"{audited.check}, {audited.moment}: {sentence}")
    asyncio.run(_examine(evidence, report))


async def _examine(evidence: Evidence, report: Report) -> None:
    for name in (directory.NAME, leaves.NAME):
        # By what it was verified first: a relay that changes its key has to say so, and none here does.
        trust = trust_of(evidence.disk(evidence.moments[0]), name)
        try:
            tree = tree_of(evidence.disk(evidence.moments[-1]), name, trust)
            entries = await entries_of(tree)
            report.examined(f"entries of the log {name}", len(entries))
            await _grown(evidence, name, trust, tree, report)
        except (LogRejected, VerificationFailed, Malformed, OSError) as error:
            report.find("log", f"the log {name}, as it is on disk at the end: {error}")
            continue
        if name == directory.NAME:
            _directory(evidence, entries, report)
        else:
            _case_file(evidence, entries, report)
            _early(evidence, trust, entries, report)
            _packages(evidence, trust, entries, report)


async def _grown(evidence: Evidence, name: str, trust: Trust, tree: VerifiedTree, report: Report) -> None:
    """Every checkpoint that anybody was shown is of the same history."""
    shown = [
        (moment, (evidence.disk(moment) / FOLDER / name / CHECKPOINT_PATH).read_bytes()) for moment in evidence.moments
    ]
    if name == leaves.NAME:
        for case in evidence.manifest.cases:
            shown += [(f"with the package {demand}", note.encode()) for demand, note in case.shown.items() if note]
    for where, note in shown:
        head = head_of(note, trust)
        report.examined("checkpoints compared")
        if head.size > tree.head.size or await tree.root(head.size) != head.root:
            report.find("log", f"the log {name} had another history when it had {head.size} entries ({where})")


# --- the directory


def _directory(evidence: Evidence, entries: list[bytes], report: Report) -> None:
    """The log has every root and every device, and nobody else's."""
    manifest = evidence.manifest
    roots = {name: facts.root for name, facts in manifest.tenants.items()}
    expected = {directory.tenant_entered(name, root) for name, root in roots.items()}
    devices = {}
    for address, facts in manifest.devices.items():
        owner = DeviceAddress.parse(address).owner
        label = directory.account_label(owner, roots[owner.tenant])
        devices[owner.tenant, label, facts.certificate_sha256.hex()] = address
    seen = set()
    for at, data in enumerate(entries):
        try:
            entry = directory.parse(data)
        except Malformed as error:
            report.find("directory", f"entry {at} of the directory's log: {error}")
            continue
        if isinstance(entry, directory.TenantEntered):
            if entry not in expected:
                report.find("directory", f"entry {at} has a root for {entry.tenant} that is not its own")
            expected.discard(entry)
        elif isinstance(entry, directory.TenantLeft):
            _left(at, entry, roots, report)
        else:
            device = entry.tenant, entry.account, entry.certificate
            seen.add(device)
            if device not in devices:
                report.find("directory", f"entry {at} has a device of {entry.tenant}'s that nobody there has enrolled")
    for entry in expected:
        report.find("directory", f"the root of {entry.tenant} is not in the log")
    for device in devices.keys() - seen:
        report.find("directory", f"{devices[device]} is in no entry of the log")
    report.examined("devices looked for in the log", len(devices))


def _left(at: int, entry: directory.TenantLeft, roots: dict[str, bytes], report: Report) -> None:
    """A tenant is said to have left that was there, and at its own word."""
    root = roots.get(entry.tenant)
    report.examined("leavings in the log")
    if root is None or sha256(root).hexdigest() != entry.root or entry.leaving is None:
        report.find("directory", f"entry {at} has {entry.tenant} leave, which did not say so")


# --- the case file


def _case_file(evidence: Evidence, entries: list[bytes], report: Report) -> None:
    """Rows and leaves match one to one, and what is told is what happened."""
    file = CaseFile(evidence.disk(evidence.moments[-1]))
    now = next(moment.at for moment in evidence.manifest.moments if moment.name == _SETTLED)
    openings = {(each.case_id, each.sequence): each for each in file.openings}
    said = told(entries)
    due: set[int] = set()
    for case_id, rows in file.cases.items():
        label, case = "", None
        final = file.case_at(case_id, rows[-1].at)
        assert final is not None  # noqa: S101 - it has rows
        is_due = final.decision is not None and not final.is_test and not is_silent(final, _moment(now))
        for row in rows:
            if case is None:
                case = Case.restore([row])
            else:
                case.apply(row)
            opened = openings.pop((case_id, row.sequence), None)
            expected = file.commitment(row, opened.salt if opened else b"")
            if expected is None:
                continue
            report.examined("steps of cases that the log has to have")
            name = f"{step_of(row)} of the case {case_id}"
            if opened is None:
                report.find("no-leaf", f"{name} is in no entry of the log")
                continue
            label = label or case_label(opened.salt)
            found = leaf(entries[opened.number]) if opened.number < len(entries) else None
            if found != expected:
                report.find("other-leaf", f"{name}: the log has something else at {opened.number}")
            due |= {opened.number} if is_due and row.at <= _moment(now) else set()
            if opened.number in said and said[opened.number][1] != told_of(case, row.body, opened.number, label):
                report.find("told-wrong", f"{name}: entry {said[opened.number][0]} tells something else")
    for each in openings.values():
        report.find(
            "other-leaf", f"the entry {each.number} is of a step {each.sequence} of {each.case_id} that there is not"
        )
    report.examined("steps that have to be told of", len(due))
    for number in sorted(due - said.keys()):
        report.find("untold", f"the entry {number} is not told of, and nothing forbids it any more")


def _early(evidence: Evidence, trust: Trust, entries: list[bytes], report: Report) -> None:
    """What must not be told of at a moment is not."""
    file = CaseFile(evidence.disk(evidence.moments[-1]))
    said = told(entries)
    for moment in evidence.manifest.moments:
        note = (evidence.disk(moment.name) / FOLDER / leaves.NAME / CHECKPOINT_PATH).read_bytes()
        size = head_of(note, trust).size
        for each in file.openings:
            case = file.case_at(each.case_id, _moment(moment.at)) if each.case_id in file.cases else None
            if case is None or not is_silent(case, _moment(moment.at)):
                continue
            report.examined("steps that must not be told of yet")
            if each.number in said and said[each.number][0] < size:
                report.find(
                    "told-early", f"the case {each.case_id} was told of by {moment.name}, and silence was ordered"
                )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


# --- packages


def _packages(evidence: Evidence, trust: Trust, entries: list[bytes], report: Report) -> None:
    """Each package that an authority has is that of one entry, which was shown to the world before it was handed over."""
    used: dict[int, str] = {}
    for case in evidence.manifest.cases:
        for demand, path in case.packages.items():
            name = f"{case.case_id}/{demand}"
            report.examined("packages compared with their entries")
            receipt = _receipt(evidence, case, demand)
            if receipt is None:
                report.find("receipt", f"the package {name} was handed over, and no receipt for it")
                continue
            digest = sha256((evidence.folder / path).read_bytes()).hexdigest()
            try:
                verify(
                    receipt, trust, case=UUID(case.case_id), demand=demand, package=digest,
                    requests=frozenset({case.signed}),
                )  # fmt: skip
            except ReceiptRejected as error:
                report.find("receipt", f"the package {name}: {error}")
            for index in _opened(receipt, entries, name, report):
                if used.setdefault(index, name) != name:
                    report.find("shared-leaf", f"the packages {used[index]} and {name} are under one entry, {index}")
                note = case.shown.get(demand, "").encode()
                if not note or head_of(note, trust).size <= index:
                    report.find("unpublished", f"{name} was handed over before the log showed its entry, {index}")


def _opened(receipt: Receipt, entries: list[bytes], name: str, report: Report) -> Iterator[int]:
    """Where the entries of packages are; each entry of the receipt is in the log as it is at the end."""
    for each in receipt.entries:
        found = leaf(entries[each.index]) if each.index < len(entries) else None
        if not isinstance(found, Commitment) or found != each.opening.commitment(each.salt):
            report.find("receipt", f"the receipt of {name} opens {each.index} to what the log has not")
        if each.opening.step == "package":
            yield each.index


def _receipt(evidence: Evidence, case: Asked, demand: str) -> Receipt | None:
    if demand not in case.receipts:
        return None
    try:
        return Receipt.model_validate_json((evidence.folder / case.receipts[demand]).read_bytes())
    except ValidationError:
        return None


CHECK: Final = Check(
    name="leaves",
    lock=Lock.ACCOUNTABILITY,
    title="every step of a case has its entry in the public log, told of in time; every package is the one of its entry",
    reasons={
        "log": "a log is not whole, or has had another history",
        "directory": "the directory's log has a root or a device that is nobody's, or lacks one",
        "no-leaf": "a step of a case is in no entry",
        "other-leaf": "an entry is of another step than the case file has",
        "disorder": "something is told of without its request or its decision before it",
        "told-wrong": "what is told of a step is not what happened",
        "told-early": "something was told of while the law demanded silence",
        "untold": "something is not told of that may be",
        "receipt": "a package was handed over without a receipt, or with that of another",
        "shared-leaf": "two packages are under one entry",
        "unpublished": "a package was handed over before the log showed its entry",
        "report": "the transparency report says something else than the log",
    },
    needs=(
        "findings of the auditor", "entries of the log directory", "entries of the log lawful-access",
        "checkpoints compared", "steps of cases that the log has to have", "steps that have to be told of",
        "steps that must not be told of yet", "packages compared with their entries",
    ),
    enough=(Stage.WAIT, Stage.ASK, Stage.AGE),
    examine=examine,
)  # fmt: skip
