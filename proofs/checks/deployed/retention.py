"""Retention sweep of somebody's relay: nothing is older than it may be, erased envelopes have left no byte, and what is kept
beyond its time is kept by an order of the case file."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

from blindrelay.policies.request import Target, TargetFormat
from blindrelay.proofs.checks.deployed.model import Deployment, Examination
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.public_log import CaseFile
from blindrelay.proofs.checks.retention import ages
from blindrelay.proofs.checks.rows import read
from blindrelay.proofs.evidence import pages
from blindrelay.proofs.evidence.pages import Pages
from blindrelay.relay.desk.steps import Work

#: The relay empties its log within five seconds of erasing something, and tries again when somebody reads. Seconds.
_SETTLED: Final = 60.0
#: What the log may have grown to between two commits: eight megabytes, and one batch.
_MAX_LOG: Final = 24 * 2**20
#: A row's own columns are shorter, and what may be left of a payload has sixteen bytes: see `blindrelay.relay.store.layout`.
_LONGEST_REMAINS: Final = 128


def examine(deployment: Deployment, report: Report) -> None:
    """Ages, then pages, of the database and of its backups; then orders."""
    retention = deployment.settings.retention
    ages(deployment.database, deployment.now, retention, report, "now")
    _erased(deployment, deployment.database, "relay.db", "kept", report)
    _log(deployment, report)
    waiting = _waiting(deployment.database)
    for part in deployment.databases:
        ages(part.path, deployment.now, retention, report, f"in {part.where}")
        _erased(deployment, part.path, part.where, "kept-in-backup", report)
        if kept := _waiting(part.path) - waiting:
            report.find(
                "kept-in-backup",
                f"{part.where} has {len(kept):,} envelopes that have been delivered since, or have expired",
            )
    if deployment.case_file.exists():
        _orders(deployment, report)
    for part in deployment.backups:
        report.skip(f"{part.where} is no database: what was deleted is not looked for in it")
    if not deployment.databases + deployment.backups:
        report.skip("backups: name them with --backup")


def _waiting(database: Path) -> set[bytes]:
    return {bytes(row[0]) for row in read(database, "SELECT message_id FROM envelope")}


# --- pages


def _erased(deployment: Deployment, database: Path, where: str, reason: str, report: Report) -> None:
    """No page holds ciphertext but those of envelopes that wait."""
    roots = read(database, "SELECT rootpage FROM sqlite_master WHERE name = 'envelope'")
    if not roots:
        return  # the desk's: it has never had any
    with tempfile.TemporaryDirectory(dir=deployment.work) as folder, _image(database, Path(folder)) as image:
        _free(image, where, reason, report)
        _rests(image, roots[0][0], where, reason, report)
        _remains(image, roots[0][0], where, reason, report)
        _stale(deployment, database, image, where, reason, report)


def _image(database: Path, folder: Path) -> Pages:
    """The database as it is, page by page, with its log in its place."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(folder / "image")) as copy,
    ):
        source.backup(copy)
    return Pages(folder / "image")


def _free(image: Pages, where: str, reason: str, report: Report) -> None:
    for number in image.free():
        report.examined("free pages")
        if any(image[number]):
            report.find(reason, f"page {number} of {where} is nobody's, and is not empty")


def _rests(image: Pages, root: int, where: str, reason: str, report: Report) -> None:
    """What is long lies in pages of its own: those of envelopes look encrypted, and no others do."""
    waiting = set(image.spilled(root))
    report.examined("pages of envelopes that wait", len(waiting))
    for number in range(2, image.count + 1):
        report.examined("pages of databases")
        page = image[number]
        if number not in waiting and pages.may_hold_rest(number, page) and pages.looks_encrypted(page[4:]):
            report.find(reason, f"page {number} of {where} looks encrypted, and is of no envelope that waits")


def _remains(image: Pages, root: int, where: str, reason: str, report: Report) -> None:
    for leaf in image.leaves(root):
        if any(len(part) > _LONGEST_REMAINS for part in pages.stretches(pages.unused(leaf))):
            report.find(reason, f"a page of the table of envelopes in {where} has more left of a row than its columns")


def _stale(deployment: Deployment, database: Path, image: Pages, where: str, reason: str, report: Report) -> None:
    """What the file and its log still hold of pages that are others by now. While a relay runs that is so for seconds."""
    log = database.with_name(f"{database.name}-wal")
    stale = set()
    for number, page in chain(pages.images(database, image.size), pages.frames(log, image.size)):
        report.examined("pages of files and logs")
        if pages.may_hold_rest(number, page) and not image.holds(number, page) and pages.looks_encrypted(page[4:]):
            stale.add(number)
    if stale and log.exists() and deployment.now - log.stat().st_mtime < _SETTLED:
        report.skip(f"{len(stale)} pages of {where} that are being erased just now: look again in a minute")
    elif stale:
        report.find(reason, f"{len(stale)} pages of {where} or its log still hold what was erased: {_few(stale)}")


def _few(numbers: set[int]) -> str:
    shown = sorted(numbers)[:8]
    return ", ".join(map(str, shown)) + (", ..." if len(numbers) > len(shown) else "")


def _log(deployment: Deployment, report: Report) -> None:
    log = deployment.database.with_name("relay.db-wal")
    size = log.stat().st_size if log.exists() else 0
    report.examined("logs of the database whose length was compared")
    if size > _MAX_LOG:
        report.find(
            "kept", f"relay.db-wal has {size:,} bytes: it is not emptied, and holds all that was erased meanwhile"
        )


# --- orders


def _orders(deployment: Deployment, report: Report) -> None:
    """Whoever's records are kept beyond their time is a target of an order in force, and the other way round."""
    file, now = CaseFile(deployment.data), datetime.fromtimestamp(deployment.now, UTC)
    ordered: dict[str, set[int]] = {}
    for case in filter(None, (file.case_at(case_id, now) for case_id in file.cases)):
        for (work, demand_id), until in case.begun.items():
            if work is Work.PRESERVATION and case.is_running(work, demand_id) and (until is None or until > now):
                targets = getattr(case.demand(demand_id), "targets", ())
                ordered[f"{case.case_id}/{demand_id}"] = _accounts(deployment, targets)
    kept: dict[str, set[int]] = {}
    query = (
        "SELECT preservation.key, account_id FROM preservation LEFT JOIN preserved_account "
        "ON preserved_account.key = preservation.key WHERE ends_at > ?"
    )
    for key, account in read(deployment.database, query, (deployment.now,)):
        kept.setdefault(key, set())
        kept[key] |= set() if account is None else {account}
    report.examined("orders to keep records", len(kept.keys() | ordered.keys()))
    for key, accounts in kept.items():
        if key not in ordered:
            report.find("bystander", f"records are kept by the order {key}, which the case file does not have in force")
        elif extra := accounts - ordered[key]:
            report.find("bystander", f"the order {key} keeps records of {len(extra)} accounts that it does not name")
    for key in ordered.keys() - kept.keys():
        report.find("not-kept", f"the order {key} is in force by the case file, and nothing keeps its records")


def _accounts(deployment: Deployment, targets: Iterable[Target]) -> set[int]:
    names = {(target.format, target.value) for target in targets}
    return {
        number
        for number, tenant, user, device in read(
            deployment.database, "SELECT account_id, tenant, user, device FROM device"
        )
        if (TargetFormat.USER, f"{user}@{tenant}") in names
        or (TargetFormat.DEVICE, f"{tenant}/{user}/{device}") in names
    }


EXAMINATION: Final = Examination(
    title="nothing is older than it may be, erased envelopes have left no byte, and orders keep their targets alone",
    needs=("moments at which ages were compared", "pages of databases", "pages of files and logs"),
    examine=examine,
)
