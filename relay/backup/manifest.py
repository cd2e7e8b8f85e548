"""What is in a backup, file by file: `manifest.json` beside them."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from blindrelay.relay.errors import BackupRejected

FILE_NAME: Final = "manifest.json"
#: Of the data directory, as far as it is there: what the relay is known by, and how it is configured.
FILES: Final = ("version", "relay.key", "relay.crt", "registration-code", "desk.key", "desk.crt", "blindrelay.toml")
FOLDERS: Final = ("log-keys", "packages")
LOGS: Final = "logs"
DATABASE: Final = "relay.db"
DESK: Final = "desk.sqlite"
#: In a backup: the witness that `up` runs beside the relay.
WITNESS: Final = "witness"
_PIECE: Final = 1 << 20
_MAX_MANIFEST: Final = 1 << 28


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Part):
    """A file."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Head(_Part):
    """How far a public log had come."""

    entries: Annotated[int, Field(ge=0)]
    root: Annotated[str, Field(description="SHA-256, in hexadecimal")]


class Manifest(_Part):
    """See the module.

    Attributes:
        version: of the release that made it.
        made_at: the moment of which everything is.
        schema_revision: of the database.
        waiting: sealed envelopes that waited then; tenants, devices: how many were registered.
        logs: the public logs, by name.
        files: by their path in the backup.
    """

    format: Literal["blindrelay-backup-1"] = "blindrelay-backup-1"
    version: str
    made_at: AwareDatetime
    schema_revision: str | None
    tenants: int
    devices: int
    waiting: int
    logs: dict[str, Head]
    files: dict[str, Entry]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())


def read(backup: Path) -> Manifest:
    """The manifest of a backup. Raises `BackupRejected`."""
    path = backup / FILE_NAME
    try:
        with path.open("rb") as file:
            return Manifest.model_validate_json(file.read(_MAX_MANIFEST))
    except OSError as error:
        raise BackupRejected(f"{path} cannot be read ({error.strerror}): expected the folder of a backup") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BackupRejected(f"{path} is no manifest of a backup: {where}: {first['msg']}") from error


def digest(path: Path) -> Entry:
    """Size and digest of a file. Raises `OSError`."""
    sha, size = sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sha.update(piece)
            size += len(piece)
    return Entry(size=size, sha256=sha.hexdigest())


def walk(folder: Path) -> Iterator[str]:
    """The paths of all files below a folder, sorted, as a manifest has them. Nothing that is no file is followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()
