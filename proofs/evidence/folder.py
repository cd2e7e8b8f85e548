"""The evidence of a run, as the checks read it: what the relay holds and emits, by kind."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from blindrelay.proofs.evidence import packages
from blindrelay.proofs.evidence.manifest import FILE, Manifest
from blindrelay.proofs.evidence.packages import NotAPackage
from blindrelay.proofs.evidence.scope import WHOLE, Scope
from blindrelay.proofs.evidence.tls import KeyLog, Opened, Unreadable, open_connection

#: The traces of a run.
TRACES = "traces.jsonl"
#: The service that the relay itself calls: HTTP without TLS, to a witness of its logs.
PLAIN: Final = "witness"


class Source(StrEnum):
    """Where bytes come from."""

    MEMORY = "process memory"
    DISK = "data directory"
    BACKUP = "backup"
    LOG = "log"
    METRICS = "metrics and traces"
    TEMPORARY = "temporary files and dumps"
    WIRE = "wire"
    PACKAGE = "package"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Artefact:
    """Some bytes: a file, or `data` where they are no file of their own. `where` is for people."""

    source: Source
    where: str
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """A recorded connection. `service`: `mqtt` or `desk`; times in seconds, on the tap's clock."""

    name: str
    service: str
    opened: float
    closed: float | None
    tls: Opened


class Evidence:
    """A folder that `record` fills.

    Attributes:
        scope: what kind of run it is; known before there is anything in the folder.
    """

    def __init__(self, folder: Path, scope: Scope = WHOLE) -> None:
        self.folder = folder
        self.scope = scope

    @property
    def quick(self) -> bool:
        """Whether it is a quick run."""
        return self.scope.quick

    @property
    def saboteur(self) -> str:
        """The deliberate leak of the run, if there is one."""
        return self.scope.saboteur

    @cached_property
    def manifest(self) -> Manifest:
        """What the run was. Raises `FileNotFoundError` when there is none yet."""
        return Manifest.model_validate_json((self.folder / FILE).read_bytes())

    @property
    def log(self) -> bytes:
        """Everything that the relay has written to standard error."""
        return (self.folder / "relay.log").read_bytes()

    def disk(self, moment: str) -> Path:
        """The data directory as it was at a moment."""
        return self.folder / "disk" / moment

    @cached_property
    def moments(self) -> list[str]:
        """The moments at which the disk was looked at, in their order."""
        return [moment.name for moment in self.manifest.moments]

    @cached_property
    def connections(self) -> list[Connection]:
        """Every connection that could be opened, in the order in which they came."""
        return [found for found in self._recorded if isinstance(found, Connection)]

    @cached_property
    def unopened(self) -> list[str]:
        """Why others could not: a connection that nobody has the secrets of is nobody's of this run."""
        return [found for found in self._recorded if isinstance(found, str)]

    @cached_property
    def _recorded(self) -> list[Connection | str]:
        return list(recorded(self.folder / "wire", self.folder / "keylog"))

    @cached_property
    def packages(self) -> dict[str, bytes]:
        """Every package that an authority was given, opened: `case/demand` -> everything that was sealed."""
        found = {}
        for case in self.manifest.cases:
            for demand, path in case.packages.items():
                try:
                    plain = packages.unseal(self.folder / path, self.manifest.package_seeds[case.authority])
                except (NotAPackage, OSError):
                    plain = (self.folder / path).read_bytes()
                found[f"{case.case_id}/{demand}"] = plain
        return found

    def artefacts(self) -> Iterator[Artefact]:
        """Everything that the relay holds or emits. A file that is at two moments the same comes once."""
        seen: set[bytes] = set()
        for artefact in self._artefacts():
            # Its name counts, too: it is searched.
            name = "" if artefact.path is None else artefact.path.name
            content = artefact.data if artefact.path is None else _digest(artefact.path)
            key = sha256(content or b"").digest() + f"{artefact.source}/{name}".encode("utf-8", "surrogateescape")
            if key not in seen:
                seen.add(key)
                yield artefact

    def _artefacts(self) -> Iterator[Artefact]:
        yield Artefact(Source.LOG, "the log at DEBUG, tracebacks included", self.folder / "relay.log")
        for path in self.scraped():
            yield Artefact(Source.METRICS, f"the metrics, {path.stem}", path)
        if self.traces is not None:
            yield Artefact(Source.METRICS, "the traces", self.traces)
        for place in sorted((self.folder / "memory").glob("*")):
            yield Artefact(Source.MEMORY, f"the relay's memory, {place.name}", place)
        for moment in self.moments:
            for path in _files(self.disk(moment)):
                yield Artefact(Source.DISK, f"{path.relative_to(self.disk(moment))}, {moment}", path)
        for path in _files(self.folder / "backups"):
            yield Artefact(Source.BACKUP, f"the backup, {path.stem}", path)
        for path in (*self.strays(), *_files(self.folder / "nameless")):
            yield Artefact(Source.TEMPORARY, str(path.relative_to(self.folder)), path)
        for path in _files(self.folder / "wire"):
            if path.suffix in {".up", ".down"}:
                yield Artefact(Source.WIRE, f"what passed on connection {path.stem}, as it passed", path)
        for connection in self.connections:
            where = f"connection {connection.name} ({connection.service})"
            yield Artefact(Source.WIRE, f"{where}, to the relay", data=b"".join(connection.tls.sent))
            yield Artefact(Source.WIRE, f"{where}, from the relay", data=b"".join(connection.tls.answered))
        for name, plain in self.packages.items():
            yield Artefact(Source.PACKAGE, f"the package {name}", data=plain)
        for device, notices in self.manifest.notices.items():
            yield Artefact(Source.NOTICE, f"what {device} was told", data="\n".join(notices).encode())

    def scraped(self) -> list[Path]:
        """What a metrics collector was shown, at each moment at which the relay ran."""
        return _files(self.folder / "metrics")

    @property
    def traces(self) -> Path | None:
        """Every span that a collector was sent, a JSON object a line; None where the relay could make none."""
        path = self.folder / TRACES
        return path if path.exists() else None

    def strays(self) -> Iterator[Path]:
        """What the relay has left beside its data directory: in its temporary folder, or where it was started."""
        yield from _files(self.folder / "tmp")
        yield from (path for path in _files(self.folder) if path.name.startswith(("core", "crash")))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(path: Path) -> bytes:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.digest()


def recorded(wire: Path, keylog: Path) -> Iterator[Connection | str]:
    """What a tap has recorded, opened with the clients' key log; of a connection that does not open, why."""
    log = KeyLog(keylog)
    for place in sorted(wire.glob("*.json")):
        about = json.loads(place.read_bytes())
        if about["service"] == PLAIN:
            continue  # no secret is on it, and none is needed to read it
        up, down = place.with_suffix(".up"), place.with_suffix(".down")
        if not up.exists() or not up.stat().st_size or not down.stat().st_size:
            continue  # nobody spoke
        try:
            opened = open_connection(up.read_bytes(), down.read_bytes(), log)
        except Unreadable as error:
            yield f"connection {place.stem}: {error}"
        else:
            yield Connection(place.stem, about["service"], about["opened"], about["closed"], opened)
