"""Canary sweep: nothing that people wrote and no key of theirs is anywhere that the relay can reach or that it emits."""

import contextlib
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.evidence import transforms
from blindrelay.proofs.evidence.canaries import Kind
from blindrelay.proofs.evidence.folder import Artefact, Evidence, Source
from blindrelay.proofs.evidence.keyring import Keyring
from blindrelay.proofs.evidence.memory import can_dump
from blindrelay.proofs.evidence.mqtt import publishes
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.evidence.sweep import DEPTH, Hit, Sweep

#: The relay is shown delivery tokens, and must not keep them.
_SHOWN_TOKENS: Final = frozenset({Source.MEMORY, Source.WIRE})
_REASONS: Final = {
    Source.MEMORY: "memory",
    Source.DISK: "disk",
    Source.BACKUP: "backup",
    Source.LOG: "log",
    Source.METRICS: "metrics",
    Source.TEMPORARY: "dump",
    Source.WIRE: "wire",
    Source.PACKAGE: "package",
    Source.NOTICE: "notice",
}
_SQLITE: Final = b"SQLite format 3\0"
_MEANWHILE: Final = "letters that arrived while memory was read"
#: In text, in characters.
_LONGEST_KEY: Final = 64
#: So many values of a table, the longest ones.
_SAMPLE: Final = 4
#: Smaller than any core, and for Linux the word that it is not to be handed to a program either (`fs/coredump.c`).
_NO_CORE: Final = 1


class NothingExamined(Exception):
    """Something was not looked at that can be looked at here."""


def examine(evidence: Evidence, report: Report) -> None:
    """Sweep every artefact, and what becomes of it with the relay's own keys."""
    planted = evidence.manifest.canaries
    everything = Sweep(planted)
    without_tokens = Sweep(canary for canary in planted if not canary.kind.passes_through)
    seen: set[bytes] = set()
    for kind in Kind:
        report.examined(f"canaries: {kind}", sum(canary.kind is kind for canary in planted))
    for artefact in evidence.artefacts():
        sweep = without_tokens if artefact.source in _SHOWN_TOKENS else everything
        for hit in _sweep(sweep, artefact, seen):
            report.find(_REASONS[artefact.source], str(hit))
        report.examined(f"bytes of {artefact.source}", _size(artefact))
        if artefact.source is Source.DISK and artefact.path is not None:
            report.examined(
                "write-ahead logs", artefact.path.name.endswith("-wal") and artefact.path.stat().st_size > 0
            )
            report.examined("free pages", _free_pages(artefact.path))
    _memory(evidence, report)
    _cores(evidence, report)
    report.examined("exceptions injected", sum(evidence.manifest.faults.values()))
    if transforms.zstd() is None:
        report.skip("zstd: there is no decoder here: `pip install 'blindrelay[proofs]'`")
    _with_the_relays_keys(evidence, without_tokens, report)


def _memory(evidence: Evidence, report: Report) -> None:
    """It was read while letters passed, wherever it can be read at all."""
    report.examined(_MEANWHILE, sum(moment.meanwhile for moment in evidence.manifest.moments))
    if not can_dump():
        report.skip("process memory: this system does not show a process's memory to its parent")
    elif evidence.scope.wants("memory") and (missing := report.missing((f"bytes of {Source.MEMORY}", _MEANWHILE))):
        raise NothingExamined(f"memory can be read here, and there are no {' and no '.join(missing)}")


def _cores(evidence: Evidence, report: Report) -> None:
    """A core would hold what memory holds, and stay: there is none, because the process has forbidden it to the kernel."""
    for moment in evidence.manifest.moments:
        if moment.core_limits is not None:
            report.examined("looks at how large a core may be")
            if not all(limit.isdecimal() and int(limit) <= _NO_CORE for limit in moment.core_limits):
                report.find(
                    "core", f"a core of the relay may have {' to '.join(moment.core_limits)} bytes, {moment.name}"
                )


def _sweep(sweep: Sweep, artefact: Artefact, seen: set[bytes]) -> Iterator[Hit]:
    # Of memory no wrapping is taken off: what is packed there was unpacked there, too.
    depth = 0 if artefact.source is Source.MEMORY else DEPTH
    if artefact.path is None:
        yield from sweep.data(artefact.data or b"", artefact.where, depth=depth)
        return
    yield from sweep.file(artefact.path, artefact.where, depth=depth)
    # Pages cut long values into pieces: so each value is searched as a whole, too; once, though it stays for long.
    for table, value in cells(artefact.path):
        if (digest := sha256(value).digest()) not in seen:
            seen.add(digest)
            yield from sweep.data(value, f"{table} in {artefact.where}", depth=depth)


def _size(artefact: Artefact) -> int:
    return len(artefact.data or b"") if artefact.path is None else artefact.path.stat().st_size


def _free_pages(path: Path) -> int:
    """How many pages of a SQLite database hold nothing any more, but may still have bytes (its file format, 1.3)."""
    with path.open("rb") as file:
        head = file.read(40)
    return int.from_bytes(head[36:40]) if head.startswith(_SQLITE) else 0


def cells(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every value of a SQLite database, with the name of its table; nothing for another file, or a damaged one."""
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            return
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database,
    ):
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in database.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - the database's own name
                for value in row:
                    if isinstance(value, bytes | str) and len(value) >= 16:
                        yield name, value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _with_the_relays_keys(evidence: Evidence, sweep: Sweep, report: Report) -> None:
    keyring = Keyring(path for moment in evidence.moments for path in evidence.disk(moment).rglob("*"))
    report.examined("keys of the relay's", len(keyring.secrets))
    values = list(_sealed(evidence))
    keyring.consider((value for _, value in values if len(value) <= _LONGEST_KEY), _samples(values))
    report.examined("values as long as a key", keyring.considered)
    for where, value in values:
        report.examined("values tried with the relay's keys")
        for name, opened in keyring.open(value):
            for hit in sweep.data(opened, where, depth=0):
                report.find("decrypted", f"{hit}, after it was opened with the relay's own {name}")


def _samples(values: list[tuple[str, bytes]]) -> list[bytes]:
    """Some values of every table: whatever is encrypted at rest is encrypted in each of its rows."""
    found: dict[str, list[bytes]] = {}
    for where, value in values:
        found.setdefault(where.partition(" in ")[0].partition(" on ")[0][0], []).append(value)
    return [value for table in found.values() for value in sorted(table, key=len)[-_SAMPLE:]]


def _sealed(evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    """What could be encrypted at rest: values of databases, files, and what was published."""
    seen: set[bytes] = set()
    for moment in evidence.moments:
        for path in sorted(evidence.disk(moment).rglob("*")):
            if not path.is_file():
                continue
            found: list[tuple[str, Any]] = list(cells(path))
            if not found and path.stat().st_size <= 1 << 20:
                found = [("all of it", path.read_bytes())]
            for name, value in found:
                if value not in seen:
                    seen.add(value)
                    yield f"{name} in {path.name}, {moment}", value
    for connection in evidence.connections:
        for packet in publishes(connection):
            if packet.payload not in seen:
                seen.add(packet.payload)
                yield f"what was published on connection {connection.name}", packet.payload


CHECK: Final = Check(
    name="canary",
    lock=Lock.KEYS,
    title="nothing that people wrote, and no key of theirs, is in anything that the relay holds or emits",
    reasons={
        "memory": "a canary is in the relay's memory",
        "disk": "a canary is in the data directory: a page, the WAL, a journal, a key file, a package",
        "backup": "a canary is in a backup",
        "log": "a canary is in the log, a traceback or an exception's text",
        "dump": "a canary is in a crash dump, a core or a temporary file, one without a name included",
        "core": "the kernel may write the relay's memory to a file when it crashes",
        "metrics": "a canary is in what a collector of metrics or traces gets",
        "wire": "a canary crosses the wire where the relay can read it",
        "package": "a canary is in a disclosure package",
        "notice": "a canary is in a notice to users",
        "decrypted": "a canary appears when the relay's own keys are tried on what it holds",
    },
    needs=(
        *(f"canaries: {kind}" for kind in Kind if kind is not Kind.KNOWN),
        *(f"bytes of {source}" for source in Source if source not in {Source.MEMORY, Source.TEMPORARY}),
        "exceptions injected",
        "write-ahead logs",
        "free pages",
        "keys of the relay's",
        "values tried with the relay's keys",
    ),
    enough=(Stage.TALK,),
    examine=examine,
)
