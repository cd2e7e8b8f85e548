"""What of a running relay its operations endpoint looks at."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from blindrelay.protocol.clock import Clock
from blindrelay.relay.counts import Counts
from blindrelay.relay.retention import Purge
from blindrelay.relay.transparency.log import Log

# A commit waits behind the one that is under way. A disk that takes longer than this is not one to send clients to. Seconds.
STORE_PATIENCE: Final = 2.0


class Exchange(Protocol):
    """The message path, as far as it is counted."""

    counts: Counts
    held_bytes: int

    def undecided(self) -> int:
        """Bytes that wait for their commit."""

    def kinds(self) -> Counter[str]:
        """Connections, by kind."""


class Accounts(Protocol):
    """Who is enrolled, as numbers."""

    @property
    def size(self) -> tuple[int, int]:
        """Tenants and devices."""

    def waiting(self) -> tuple[int, int] | None:
        """Envelopes that wait, and their bytes; None: this node does not know."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything is read when somebody asks, and nothing is kept.

    Attributes:
        files: of the store, by what they are: `database`, `wal`. One that is not there has no bytes.
        folder: on whose disk there must be room.
        requests: by method and outcome.
        began_at: epoch seconds.
        fault: why clients are not to come here now; None: they may.
        ask_store: goes through the store's queue once. In a cluster it asks the other engines, too.
    """

    exchange: Exchange
    accounts: Accounts
    retention: Purge
    logs: Mapping[str, Log]
    requests: Counter[tuple[str, str]]
    files: Mapping[str, Path]
    folder: Path
    clock: Clock
    began_at: float
    fault: Callable[[], str | None]
    ask_store: Callable[[], Awaitable[None]]

    def sizes(self) -> dict[str, int]:
        """Bytes of the store's files."""
        return {name: _size(path) for name, path in self.files.items()}

    def free(self) -> int:
        """Bytes that are free on the disk."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    async def unready(self) -> str | None:
        """Why clients are not to come here now, after a look at the store; None: they may."""
        if (fault := self.fault()) is not None:
            return fault
        try:
            async with asyncio.timeout(STORE_PATIENCE):
                await self.ask_store()
        except TimeoutError:
            return f"the store has not answered within {STORE_PATIENCE:g} seconds"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is why
            return f"the store does not answer ({type(error).__name__})"
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
