"""What is on the disk when the power fails? Images built from a record of what was written and what was synced.

`strace` records every write to the database and its WAL, with its bytes, and every sync. What was synced is on the disk;
of what was written after that, anything may be: nothing, all, some of it in any order, half a page. For each sync the
images of the moment before it returned are built, opened with SQLite and compared with what clients knew by then.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blindrelay.proofs.chaos.evidence import examine_store
from blindrelay.proofs.chaos.history import Message
from blindrelay.proofs.chaos.oracle import Finding, Invariant

#: The options under which the relay runs so that `read_trace` understands what is written to `PREFIX.<thread>`.
STRACE = ("strace", "-f", "-ff", "--seccomp-bpf", "-ttt", "-T", "-y", "-xx", "-s", "1048576")
CALLS = "pwrite64,fdatasync,fsync,ftruncate,unlink"
SECTOR = 512

_LINE = re.compile(
    r"(?P<began>\d+\.\d+) (?P<call>\w+)\((?:\d+<(?P<path>[^>]*)>|\"(?P<name>[^\"]*)\")"
    r"(?:, \"(?P<data>[^\"]*)\")?(?P<numbers>(?:, \d+)*)\) = 0*(?P<result>\d+) <(?P<lasted>[\d.]+)>"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded. `began` and `ended` are epoch seconds."""

    began: float
    ended: float
    name: str
    file: str  # without its folder
    offset: int = 0
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Image:
    """What the disk may hold when the power fails before `until`."""

    until: float  # epoch seconds
    what: str
    files: dict[str, bytes] = field(repr=False)


def read_trace(prefix: Path) -> list[Call]:
    """Every call of every thread, by time."""
    calls = [
        call
        for path in prefix.parent.glob(f"{prefix.name}.*")
        for line in path.read_text(encoding="ascii").splitlines()
        if (call := _parse(line)) is not None
    ]
    return sorted(calls, key=lambda call: call.began)


def _parse(line: str) -> Call | None:
    match = _LINE.match(line)
    if match is None:
        return None
    began = float(match["began"])
    path = _unescape(match["path"] or match["name"]).decode()
    numbers = [int(number) for number in match["numbers"].split(",") if number.strip()]
    name = match["call"]
    data = _unescape(match["data"] or "")[: int(match["result"])] if name == "pwrite64" else b""
    offset = numbers[-1] if name in {"pwrite64", "ftruncate"} else 0
    return Call(began, began + float(match["lasted"]), name, Path(path).name, offset, data)


def _unescape(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class Disk:
    """A folder's files as a power cut sees them: what is durable, and what has been written since."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._durable = dict(files)
        self._pending: list[Call] = []

    def happen(self, call: Call) -> None:
        """A call has returned."""
        if call.name in {"fdatasync", "fsync"}:
            mine = [each for each in self._pending if each.file == call.file]
            self._pending = [each for each in self._pending if each.file != call.file]
            self._durable = _applied(self._durable, mine)
        else:
            self._pending.append(call)

    def images(self, until: float, chance: random.Random) -> Iterator[Image]:
        """What may be found: at least what is durable."""
        pending = self._pending
        yield Image(until, "nothing unsynced survived", self._durable)
        if not pending:
            return
        yield Image(until, "everything unsynced survived", _applied(self._durable, pending))
        some = [call for call in pending if chance.random() < 0.5]
        yield Image(until, f"{len(some)} of {len(pending)} unsynced writes survived", _applied(self._durable, some))
        *before, last = pending[: chance.randrange(len(pending)) + 1]
        if len(last.data) > SECTOR:
            kept = SECTOR * chance.randrange(1, (len(last.data) + SECTOR - 1) // SECTOR)
            torn = Call(last.began, last.ended, last.name, last.file, last.offset, last.data[:kept])
            yield Image(until, f"a write torn after {kept} bytes", _applied(self._durable, [*before, torn]))


def _applied(files: dict[str, bytes], calls: Sequence[Call]) -> dict[str, bytes]:
    changed = {name: bytearray(content) for name, content in files.items()}
    for call in calls:
        if call.name == "unlink":
            changed.pop(call.file, None)
            continue
        content = changed.setdefault(call.file, bytearray())
        if call.name == "ftruncate":
            del content[call.offset :]
            content.extend(bytes(call.offset - len(content)))
        else:
            content.extend(bytes(max(0, call.offset - len(content))))
            content[call.offset : call.offset + len(call.data)] = call.data
    return {name: bytes(content) for name, content in changed.items()}


def images(calls: Sequence[Call], files: dict[str, bytes], seed: int) -> Iterator[Image]:
    """The images of every moment between two syncs; `files` is what was there, and durable, before the first call.

    The database's index in shared memory (`-shm`) is made anew from the WAL and is no part of it.
    """
    chance = random.Random(f"power {seed}")  # noqa: S311 - a run is to be repeatable
    disk = Disk(files)
    for call in calls:
        if call.file.endswith("-shm"):
            continue
        if call.name in {"fdatasync", "fsync"}:
            yield from disk.images(call.ended, chance)
        disk.happen(call)
    yield from disk.images(float("inf"), chance)


def examine_image(
    image: Image, database: str, known: dict[str, Message], to_epoch: float, folder: Path
) -> list[Finding]:
    """Compare an image with what clients knew when it was taken.

    `to_epoch` is added to the journals' times; `folder` is for the image's files, and is emptied first.
    """
    for path in folder.iterdir():
        path.unlink()
    for name in (database, f"{database}-wal"):
        if name in image.files:
            (folder / name).write_bytes(image.files[name])
    store = examine_store(folder / database)
    findings = [Finding(Invariant.I9, f"{what} ({image.what})") for what in store.damage]
    for message in known.values():
        acknowledged = bool(message.acked) and message.acked[0].at + to_epoch < image.until
        confirmed = bool(message.confirmed) and message.confirmed[0].at + to_epoch < image.until
        number, there = store.traffic.get(message.message_id, 0), message.message_id in store.envelopes
        if acknowledged and not (number and (there or confirmed)):
            findings.append(
                Finding(
                    Invariant.I1, f"lost by the power cut: {message.message_id[:8]} was acknowledged ({image.what})"
                )
            )
        if number > 1:
            findings.append(
                Finding(Invariant.I8, f"{message.message_id[:8]} has {number} traffic records ({image.what})")
            )
    return findings
