"""Taking a backup, of a relay that runs or of one that does not.

The order counts. The witness first, then the logs, then the databases: what a witness has cosigned is in the logs, and what
the logs show is in the databases, when all of it is put back.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blindrelay import __version__
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH, Tree
from blindrelay.relay import files
from blindrelay.relay.backup import manifest as parts
from blindrelay.relay.backup.manifest import Head, Manifest
from blindrelay.relay.backup.snapshot import Told, check, copy, frozen
from blindrelay.relay.datadir import MOVED
from blindrelay.relay.errors import TargetNotEmpty, Unreadable
from blindrelay.relay.transparency.shelf import Shelf

#: In the data directory: when the last backup was taken, for `blindrelay doctor`.
LAST: Final = "last-backup"
# A log grows while it is copied, and what a full tile replaces goes.
_ATTEMPTS: Final = 20


def take(
    data: Path, target: Path, clock: Clock, *, witness: Path | None = None, told: Told = lambda *_: None
) -> Manifest:
    """Make the folder `target`, for its owner alone: everything that a relay needs to be the same one again.

    Args:
        data: the data directory.
        witness: the folder of the witness that `up` runs beside the relay, if that is to be in it.
        told: is told how much of the databases is copied.

    Nothing is left when it fails or is interrupted.

    Raises:
        Unreadable: there is no relay's data in `data`, it is damaged, or has been moved to another store.
        TargetNotEmpty: there is something at `target`.
        OSError: the disk is full, or may not be written.
    """
    if not (data / parts.DATABASE).is_file():
        raise Unreadable(f"{data} holds no relay's data: expected {parts.DATABASE} in it")
    if (moved := data / MOVED).exists():
        raise Unreadable(
            f"the state of {data} has been moved to {moved.read_text().strip()}, and what is here is older: back that up, with "
            "PostgreSQL's own tools"
        )
    check_free(target)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial.mkdir(mode=0o700)
    try:
        manifest = _fill(data, partial, clock, witness, told)
        files.write_durably(partial / parts.FILE_NAME, manifest.model_dump_json(indent=1).encode())
        with contextlib.suppress(FileNotFoundError):
            target.rmdir()  # it was there, and empty
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    files.sync_folder(target.parent)
    files.write_durably(data / LAST, f"{manifest.made_at.isoformat()}\n".encode())
    return manifest


def check_free(target: Path) -> None:
    """Raise `TargetNotEmpty` unless there is nothing at `target`, or an empty folder."""
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise TargetNotEmpty(f"{target} is there already and not empty: name a folder that is not there")


def _fill(data: Path, target: Path, clock: Clock, witness: Path | None, told: Told) -> Manifest:
    if witness is not None and (witness / "witness.key").is_file():
        _copy_witness(witness, target / parts.WITNESS)
    heads = dict(_copy_logs(data / parts.LOGS, target / parts.LOGS))
    for name in parts.FILES:
        if (data / name).is_file():
            _copy_file(data / name, target / name)
    for name in parts.FOLDERS:
        _copy_tree(data / name, target / name)
    made_at = datetime.fromtimestamp(int(clock.now()), UTC)
    _copy_databases(data, target, told)
    with contextlib.closing(
        sqlite3.connect(f"file:{target / parts.DATABASE}?mode=ro&immutable=1", uri=True)
    ) as database:
        manifest = Manifest(
            version=__version__,
            made_at=made_at,
            schema_revision=_revision(database),
            tenants=_count(database, "tenant"),
            devices=_count(database, "device"),
            waiting=_count(database, "envelope"),
            logs=heads,
            files={name: parts.digest(target / name) for name in parts.walk(target)},
        )
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        folder.chmod(0o700)
        files.sync_folder(folder)
    return manifest


def _revision(database: sqlite3.Connection) -> str | None:
    try:
        row = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:  # a database of before there were revisions
        return None
    return None if row is None else str(row[0])


def _count(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours


def _copy_databases(data: Path, target: Path, told: Told) -> None:
    names = [name for name in (parts.DATABASE, parts.DESK) if (data / name).is_file()]
    with frozen([data / name for name in names]) as readers:
        for name, reader in zip(names, readers, strict=True):
            try:
                copy(reader, target / name, told)
                problem = check(target / name)
            except sqlite3.Error as error:
                raise Unreadable(f"{data / name} cannot be copied: {error}") from error
            if problem is not None:
                raise Unreadable(f"{data / name} is damaged ({problem}): this would be no backup. Restore an older one")
            with (target / name).open("rb") as file:
                os.fsync(file.fileno())


def _copy_logs(source: Path, target: Path) -> Iterator[tuple[str, Head]]:
    """Each log as far as a checkpoint of it goes, verified; a log without one is made anew from the database."""
    for policy in sorted(source.glob("*.policy")):
        name = policy.stem
        _copy_file(policy, target / policy.name)
        if (source / name / CHECKPOINT_PATH).is_file():
            yield name, _copy_log(source / name, target / name)


def _copy_log(source: Path, target: Path) -> Head:
    problem: Exception | None = None
    for _ in range(_ATTEMPTS):
        shutil.rmtree(target, ignore_errors=True)
        note = (source / CHECKPOINT_PATH).read_bytes()  # first: the tiles that it needs are there before it is
        _copy_tree(source, target)
        _write(target / CHECKPOINT_PATH, note)
        try:
            checkpoint = Checkpoint.parse(Note.parse(note).text)
            if Tree(checkpoint.size, Shelf(target).read).root() == checkpoint.root:
                return Head(entries=checkpoint.size, root=checkpoint.root.hex())
        except (OSError, Malformed) as error:
            problem = error
    raise Unreadable(
        f"the log in {source} is damaged ({problem or 'its tiles lead to another root'}): this would be no backup"
    )


def _copy_witness(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name != "lock" and not path.name.startswith("."):
            _copy_file(path, target / path.relative_to(source))


def _copy_tree(source: Path, target: Path) -> None:
    """Every file that is whole; what goes meanwhile is left out."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".") and path.suffix != ".partial":
            with contextlib.suppress(FileNotFoundError):
                _copy_file(path, target / path.relative_to(source))


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        _write(target, file.read())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
