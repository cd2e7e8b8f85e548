"""SIG"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from blindrelay.clients.records import HistoryEntry, OutboxEntry
from blindrelay.clients.vault import Cost


class Space(IntEnum):
    """What a record is about. The numbers are on disk: never reuse one."""

    IDENTITY = 1
    ACCOUNT = 2
    SESSION = 3
    CONTACT = 4
    ROOT = 5
    VERIFIED = 6
    TOKEN = 7
    TRANSFER = 8
    UNREADABLE = 9
    SETTING = 10  # the application's own small values
    GROUP = 11  # the application's groups


class KeyStore:
    """Everything a device must remember. One thread at a time (any thread), one process at a time."""

    @classmethod
    def create(cls, path: Path, passphrase: str, cost: Cost | None = None) -> Self:
        """Create the file (0600; it must not exist) and open it. Takes ~0.2 s: the key derivation."""
        raise NotImplementedError

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Raises WrongPassphrase, StoreInUse, StoreDamaged, StoreTooNew, StoreFailed, NotEnrolled (no file)."""
        raise NotImplementedError

    @classmethod
    def in_memory(cls) -> Self:
        """A store that is gone when closed, under a random key."""
        raise NotImplementedError

    def close(self) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, durable on leaving; nested ones join the outer one. No `await` inside."""
        raise NotImplementedError

    # values
    def get(self, space: Space, key: str) -> bytes | None:
        raise NotImplementedError

    def put(self, space: Space, key: str, value: bytes) -> None: ...
    def delete(self, space: Space, key: str) -> None: ...
    def items(self, space: Space) -> Iterator[tuple[str, bytes]]:
        raise NotImplementedError

    # processed message ids
    def was_processed(self, message_id: bytes) -> bool:
        raise NotImplementedError

    def mark_processed(self, message_id: bytes, now: float) -> None: ...
    def forget_processed(self, now: float) -> int:
        raise NotImplementedError

    # outbox
    def enqueue(self, entry: OutboxEntry) -> OutboxEntry:
        """Store and return it with its sequence."""
        raise NotImplementedError

    def outbox(self, after: int = 0, limit: int = 64) -> list[OutboxEntry]:
        raise NotImplementedError

    def dequeue(self, sequence: int) -> None: ...

    # history
    def add_history(self, entry: HistoryEntry) -> HistoryEntry:
        raise NotImplementedError

    def replace_history(self, entry: HistoryEntry) -> None: ...
    def find_history(self, conversation: str, content_id: bytes) -> HistoryEntry | None:
        raise NotImplementedError

    def find_letter(self, content_id: bytes) -> list[HistoryEntry]:
        raise NotImplementedError

    def history(self, conversation: str, before: int | None = None, limit: int = 100) -> list[HistoryEntry]:
        raise NotImplementedError

    def conversations(self) -> list[str]:
        raise NotImplementedError

    def remove_history(self, sequence: int) -> None: ...
    def remove_disappeared(self, now: float) -> list[HistoryEntry]:
        raise NotImplementedError
