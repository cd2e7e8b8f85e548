"""Putting a backup back, into an empty place alone.

What happened after the backup is not in it. Some of that is not just gone, it would be wrong:

- One-time prekeys that were handed out since would be handed out again. So they all go; devices that connect bring new ones.
- Envelopes that were delivered since are delivered again: devices know their ids, and people see nothing of it.
- Revocations that came since are forgotten: enterprises have to revoke again.
- Enterprises that left since are there again: they have to leave again.
- A public log that has shown more since must not show something else in its place: see `witnesses`.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from blindrelay.relay import files
from blindrelay.relay.backup import manifest as parts
from blindrelay.relay.backup.manifest import Manifest
from blindrelay.relay.backup.snapshot import check
from blindrelay.relay.backup.taking import check_free
from blindrelay.relay.errors import BackupRejected
from blindrelay.relay.store.schema import history

#: Told how many bytes are done, of how many.
Told = Callable[[int, int], None]


def verify(backup: Path, told: Told = lambda *_: None) -> Manifest:
    """Read every file of a backup, and compare it with the manifest.

    Raises:
        BackupRejected: a file is missing, altered, or too many; a database is damaged.
        NewerVersion: a newer release made it.
    """
    manifest = parts.read(backup)
    history.check(manifest.schema_revision, f"the backup {backup}")
    here = {name for name in parts.walk(backup) if name != parts.FILE_NAME}
    if missing := sorted(manifest.files.keys() - here):
        raise BackupRejected(f"{backup / missing[0]} is missing: the backup is not whole")
    if strange := sorted(here - manifest.files.keys()):
        raise BackupRejected(f"{backup / strange[0]} is not in the manifest: somebody has put it there")
    done = 0
    for name, entry in manifest.files.items():
        path = backup / name
        if path.is_symlink() or not path.is_file() or parts.digest(path) != entry:
            raise BackupRejected(f"{path} is not what the manifest says: it was altered, or the disk has failed")
        done += entry.size
        told(done, manifest.size)
    for name in (parts.DATABASE, parts.DESK):
        if name in manifest.files and (problem := _damage(backup / name)) is not None:
            raise BackupRejected(f"{backup / name} is damaged: {problem}")
    return manifest


def restore(
    backup: Path, data: Path, manifest: Manifest, *, witness: Path | None = None, told: Told = lambda *_: None
) -> None:
    """Make the data directory `data` of a backup that has been verified (`manifest`), and the witness's folder `witness`.

    Nothing is left when it fails or is interrupted.

    Raises:
        TargetNotEmpty: there is something there.
        BackupRejected: what was copied is not what was verified.
        OSError: the disk is full, or may not be written.
    """
    places = _places(manifest, data, witness)
    for place in places:
        check_free(place)
    partials: dict[Path, Path] = {}
    try:
        for place, names in places.items():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = place.with_name(f".{place.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=0o700)
            partials[place] = partial
            _copy(backup, partial, names, manifest, told)
        _forget_prekeys(partials[data] / parts.DATABASE)
        for place, partial in partials.items():
            with contextlib.suppress(FileNotFoundError):
                place.rmdir()  # it was there, and empty
            partial.rename(place)
            files.sync_folder(place.parent)
    except BaseException:
        for partial in partials.values():
            shutil.rmtree(partial, ignore_errors=True)
        raise


def _places(manifest: Manifest, data: Path, witness: Path | None) -> dict[Path, dict[str, Path]]:
    """Where what goes: folders to be made, and for each which file of the backup becomes which in it."""
    prefix = f"{parts.WITNESS}/"
    places: dict[Path, dict[str, Path]] = {data: {}}
    for name in manifest.files:
        if not name.startswith(prefix):
            places[data][name] = Path(name)
        elif witness is not None and witness.is_relative_to(data):
            places[data][name] = witness.relative_to(data) / name.removeprefix(prefix)
        elif witness is not None:
            places.setdefault(witness, {})[name] = Path(name.removeprefix(prefix))
    return places


def _copy(backup: Path, target: Path, names: dict[str, Path], manifest: Manifest, told: Told) -> None:
    done = 0
    for name, place in names.items():
        path = target / place
        for parent in reversed(place.parents):
            (target / parent).mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with (backup / name).open("rb") as source, os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        if parts.digest(path) != manifest.files[name]:
            raise BackupRejected(f"{backup / name} has changed while it was put back")
        done += manifest.files[name].size
        told(done, manifest.size)
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        files.sync_folder(folder)


def _forget_prekeys(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("DELETE FROM prekey WHERE NOT is_fallback")


def _damage(path: Path) -> str | None:
    try:
        return check(path)
    except sqlite3.Error as error:
        return str(error)
