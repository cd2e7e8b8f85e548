"""What an auditor remembers of a log, in a folder of its own (0700, files 0600). Without it nobody notices another history.

checkpoint             the last one that was verified, with its signatures
policy                 where the relay itself has said it: what it said first
contradiction/         once two checkpoints contradict each other: `ours`, `theirs`, and `reason`
monitor-*.json         how far monitors have read, and what they have found
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from blindrelay.clients.errors import LogRejected, StoreDamaged, StoreError
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_CHECKPOINT, _POLICY, _CONTRADICTION = "checkpoint", "policy", "contradiction"


class Memory:
    """Of the log with this origin, below `folder`. Raises `StoreError` where the files cannot be used."""

    def __init__(self, folder: Path, origin: str) -> None:
        #: The name is that under which witnesses show a log (https://c2sp.org/tlog-witness, "Monitor Retrieval").
        self.path = folder / sha256(origin.encode()).hexdigest()
        self.origin = origin

    @asynccontextmanager
    async def locked(self, name: str = "lock") -> AsyncIterator[None]:
        """Nobody else looks at the log and remembers meanwhile: an answer that came late would look like a rollback.

        Another `name` is for what else takes one at a time.
        """
        descriptor = await asyncio.to_thread(self._lock, name)
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self, name: str) -> int:
        with self._usable():
            self.path.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    # The last checkpoint.

    def checkpoint(self) -> tuple[Checkpoint, bytes] | None:
        """The last one that was kept, and its note; None if there is none."""
        data = self.read(_CHECKPOINT)
        if data is None:
            return None
        try:
            head = Checkpoint.parse(Note.parse(data).text)
        except Malformed as error:
            raise self._damaged(_CHECKPOINT, str(error)) from error
        if head.origin != self.origin:
            raise self._damaged(_CHECKPOINT, f"it is of {head.origin!r}")
        return head, data

    def keep(self, note: bytes) -> None:
        """Remember a checkpoint, which has been verified and continues the last one."""
        self.write(_CHECKPOINT, note)

    # Whom to believe.

    def policy(self) -> Trust | None:
        """What the relay once said that its log is to be verified by."""
        data = self.read(_POLICY)
        try:
            return None if data is None else Trust.parse(data.decode("utf-8", "replace"))
        except Malformed as error:
            raise self._damaged(_POLICY, str(error)) from error

    def keep_policy(self, trust: Trust) -> None:
        """Believe this one from now on."""
        self.write(_POLICY, str(trust).encode())

    # Evidence.

    def check(self) -> None:
        """Raise `LogRejected` if the log has ever contradicted itself. That does not pass: somebody has to deal with it."""
        reason = self.read(f"{_CONTRADICTION}/reason")
        if reason is not None:
            check, _, words = reason.decode("utf-8", "replace").strip().partition(" ")
            raise self.contradicted(check, words)

    def keep_contradiction(self, check: str, reason: str, ours: bytes, theirs: bytes) -> LogRejected:
        """Keep two checkpoints that do not fit together, and what is wrong with them; returns the error to raise."""
        self.write(f"{_CONTRADICTION}/ours", ours)
        self.write(f"{_CONTRADICTION}/theirs", theirs)
        self.write(f"{_CONTRADICTION}/reason", f"{check} {reason}\n".encode())
        return self.contradicted(check, reason)

    def contradicted(self, check: str, reason: str) -> LogRejected:
        """The error about what is kept."""
        folder = self.path / _CONTRADICTION
        return LogRejected(
            self.origin,
            check,
            f"{reason}. The log's key has signed both, `ours` and `theirs` in {folder}: show them to others who read this log. "
            "When you have dealt with it, move that folder away",
        )

    # Files.

    def read(self, name: str) -> bytes | None:
        """A file; None if there is none."""
        with self._usable(), suppress(FileNotFoundError):
            return (self.path / name).read_bytes()
        return None

    def write(self, name: str, data: bytes) -> None:
        """Make `data` the file of that name, whole or not at all."""
        path = self.path / name
        partial = path.with_name(f".{path.name}.partial")
        with self._usable():
            path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read or written: {error.strerror}") from error

    def _damaged(self, name: str, why: str) -> StoreDamaged:
        return StoreDamaged(
            f"{self.path / name} is damaged ({why}): restore it from a backup. Without it, nobody notices that the log shows "
            "another history than before"
        )
