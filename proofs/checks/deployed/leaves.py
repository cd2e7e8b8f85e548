"""Log leaves of somebody's relay: its public logs are whole, and have every step of its case file, told of in time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from blindrelay.clients.errors import LogRejected
from blindrelay.policies import leaves
from blindrelay.policies.leaves import Told, case_label
from blindrelay.proofs.checks.deployed.model import Deployment, Examination
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.public_log import CaseFile, Opened, entries_of, leaf, step_of, told, tree_of, trust_of
from blindrelay.proofs.checks.rows import read
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.statements import DeviceStatement, Signed
from blindrelay.protocol.transparency import directory
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.journal import Row
from blindrelay.relay.desk.leaves import told_of
from blindrelay.relay.desk.report import is_silent

#: The desk looks once in a while whether something may be told of, and what is told waits for cosignatures.
_LATE: Final = timedelta(hours=6)


def examine(deployment: Deployment, report: Report) -> None:
    """Both logs, whole; then what is behind them."""
    for name in (directory.NAME, leaves.NAME):
        try:
            trust = trust_of(deployment.data, name)
            entries = asyncio.run(entries_of(tree_of(deployment.data, name, trust)))
        except FileNotFoundError:
            report.skip(f"the log {name}: this relay has published none")
            continue
        except (LogRejected, VerificationFailed, Malformed) as error:
            report.find("log", f"the log {name}: {error}")
            continue
        report.examined("public logs")
        report.examined(f"entries of the log {name}", len(entries))
        if name == leaves.NAME:
            _case_file(deployment, entries, report)
        else:
            _directory(deployment, entries, report)
    report.skip("other histories: an auditor who remembers sees them (`blindrelay auditor check`)")


# --- the directory

_TENANTS: Final = "SELECT name, root, log_index FROM tenant"
_DEVICES: Final = (
    "SELECT root, certificate, statement, statement_signature, device.log_index "
    "FROM device JOIN tenant ON tenant.name = device.tenant WHERE statement IS NOT NULL"
)


def _directory(deployment: Deployment, entries: list[bytes], report: Report) -> None:
    """What clients are shown of roots and devices is in the log, where the relay's tables say that it is."""
    for tenant, root, index in read(deployment.database, _TENANTS):
        _entered(f"the root of {tenant}", directory.tenant_entered(tenant, bytes(root)), index, entries, report)
    for root, certificate, body, signature, index in read(deployment.database, _DEVICES):
        signed = Signed(body=bytes(body), signature=bytes(signature))
        statement = DeviceStatement.model_validate_json(signed.body)
        entry = directory.device_stated(bytes(root), bytes(certificate), statement, signed)
        _entered(str(statement.device), entry, index, entries, report)


def _entered(what: str, entry: directory.Entry, index: int | None, entries: list[bytes], report: Report) -> None:
    report.examined("roots and devices looked for in the log")
    if index is None:
        report.find("directory", f"{what} is shown to clients, and is in no entry of the log")
    elif index < len(entries) and entries[index] != entry.encode():  # else it is published at any moment
        report.find("directory", f"{what} is to be at {index} in the log, where something else is")


# --- the case file


def _case_file(deployment: Deployment, entries: list[bytes], report: Report) -> None:
    """Rows and leaves match one to one, and what is told is what happened."""
    file = CaseFile(deployment.data)
    now = datetime.fromtimestamp(deployment.now, UTC)
    openings = {(each.case_id, each.sequence): each for each in file.openings}
    said = told(entries)
    for rows in file.cases.values():
        _steps(file, rows, openings, entries, report)
        _told(rows, openings, said, now, report)
    for each in openings.values():
        report.find(
            "other-leaf", f"the entry {each.number} is of a step {each.sequence} of {each.case_id} that there is not"
        )


def _steps(
    file: CaseFile, rows: list[Row], openings: dict[tuple[str, int], Opened], entries: list[bytes], report: Report
) -> None:
    for row in rows:
        opened = openings.get((row.case_id, row.sequence))
        expected = file.commitment(row, opened.salt if opened else b"")
        if expected is None:
            continue
        report.examined("steps of cases that the log has to have")
        name = f"{step_of(row)} of the case {row.case_id}"
        if opened is None:
            report.find("no-leaf", f"{name} is in no entry of the log")
        elif opened.number < len(entries) and leaf(entries[opened.number]) != expected:
            report.find("other-leaf", f"{name}: the log has something else at {opened.number}")


def _told(
    rows: list[Row],
    openings: dict[tuple[str, int], Opened],
    said: dict[int, tuple[int, Told]],
    now: datetime,
    report: Report,
) -> None:
    final = Case.restore(rows)
    is_due = final.decision is not None and not final.is_test and not is_silent(final, now - _LATE)
    label, case = "", None
    for row in rows:
        if case is None:
            case = Case.restore([row])
        else:
            case.apply(row)
        opened = openings.pop((row.case_id, row.sequence), None)
        if opened is None:
            continue
        label = label or case_label(opened.salt)
        name = f"{step_of(row)} of the case {row.case_id}"
        if opened.number in said:
            report.examined("steps that were told of")
            at, one = said[opened.number]
            if is_silent(final, now):
                report.find("told-early", f"{name} is told of at {at}, and silence is ordered")
            if one != told_of(case, row.body, opened.number, label):
                report.find("told-wrong", f"{name}: entry {at} tells something else")
        elif is_due and row.at <= now - _LATE:
            report.find("untold", f"{name} is not told of, and nothing forbids it any more")


EXAMINATION: Final = Examination(
    title="the public logs are whole and have every root, device and step of a case, told of in time",
    needs=("public logs",),
    examine=examine,
)
