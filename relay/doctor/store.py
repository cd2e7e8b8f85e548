"""The store, and its backups."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from blindrelay.protocol.errors import BlindrelayError
from blindrelay.relay.backup.taking import LAST
from blindrelay.relay.datadir import MOVED
from blindrelay.relay.doctor.machine import DAY
from blindrelay.relay.doctor.model import Finding, Grade, Patient
from blindrelay.relay.store import tables
from blindrelay.relay.store.schema import history
from blindrelay.relay.store.sqlite import MAX_WAL_BYTES

_BACKUP_DAYS: Final = 7
# Somebody who reads for long keeps the WAL from being emptied.
_WAL_FACTOR: Final = 4
_MIB: Final = 1 << 20
#: Those without which nobody is let in; the others may be large.
_LOOKED_AT: Final = (tables.tenant, tables.device, tables.revocation, tables.session)


def store(patient: Patient) -> Iterator[Finding]:
    """Its schema, whether it is damaged, and its WAL."""
    if patient.settings.store is not None:
        advice = "ask PostgreSQL's own tools; blindrelay migrate says whether the schema is this release's"
        yield Finding(Grade.UNKNOWN, "it is in PostgreSQL", advice)
        return
    if (moved := patient.data / MOVED).exists():
        advice = f"start the relay with --store and that; to go back to what was before, delete {moved}"
        yield Finding(Grade.WRONG, f"it has been moved to {moved.read_text().strip()}, and is older here", advice)
        return
    if not patient.database.exists():
        yield Finding(Grade.WATCH, "there is none yet", "it is made when the relay starts for the first time")
        return
    with patient.reading() as database:
        revision = database.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        checks = [database.execute(f"PRAGMA quick_check({table.name})").fetchone()[0] for table in _LOOKED_AT]
    yield _schema(str(revision), patient)
    for problem in (found for found in checks if found != "ok"):
        yield Finding(Grade.WRONG, f"it is damaged: {problem}", "stop the relay, and restore the newest backup")
    yield _wal(patient)


def _schema(revision: str, patient: Patient) -> Finding:
    try:
        if history.check(revision, str(patient.database)):
            return Finding(Grade.WELL, f"its schema is this release's ({revision})")
    except BlindrelayError as error:
        return Finding(Grade.WRONG, str(error), "install the release that wrote it, or a newer one")
    return Finding(
        Grade.WATCH, f"its schema is an older release's ({revision})", "it is upgraded when the relay starts"
    )


def _wal(patient: Patient) -> Finding:
    wal = patient.database.with_name(f"{patient.database.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    text = f"its WAL has {size / _MIB:.1f} MiB"
    if size <= _WAL_FACTOR * MAX_WAL_BYTES:
        return Finding(Grade.WELL, text)
    advice = "end what reads the database for so long (lsof shows it): until then nothing that is deleted is erased"
    return Finding(Grade.WATCH, text, advice)


def backup(patient: Patient) -> Iterator[Finding]:
    """When the last one was taken."""
    if patient.settings.store is not None:
        return
    path = patient.data / LAST
    if not path.exists():
        yield Finding(Grade.WATCH, "none has been taken", "blindrelay backup FOLDER, once a day")
        return
    taken = datetime.fromisoformat(path.read_text("ascii").strip()).timestamp()
    days = (patient.clock.now() - taken) / DAY
    if days > _BACKUP_DAYS:
        text, advice = f"the last one is {days:.0f} days old", "blindrelay backup FOLDER, once a day"
        yield Finding(Grade.WATCH, text, advice)
    else:
        kept = min(patient.settings.retention.traffic_days, patient.settings.retention.access_days)
        yield Finding(Grade.WELL, f"the last one is {days:.1f} days old; delete those older than {kept} days")
