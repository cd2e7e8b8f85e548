"""What is looked at, and what is said of it."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.config import Settings

# A commit holds nobody up for longer. Seconds.
_PATIENCE: Final = 5.0


class Grade(StrEnum):
    """How it is."""

    WELL = "well"
    WATCH = "watch"  #: not wrong yet
    WRONG = "wrong"
    UNKNOWN = "unknown"  #: could not be looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found. `advice`: what to do; empty where there is nothing to do."""

    grade: Grade
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """A relay to look at. `endpoint`: where it listens; None when it does not run."""

    settings: Settings
    clock: Clock
    endpoint: Endpoint | None = None

    @classmethod
    def find(cls, settings: Settings, clock: Clock) -> "Patient":
        """The relay with these settings, and whether it runs."""
        with contextlib.suppress(OSError, Malformed):
            return cls(settings, clock, Endpoint.read(settings.data_dir / FILE_NAME))
        return cls(settings, clock)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.settings.data_dir

    @property
    def database(self) -> Path:
        """The store, where it is SQLite."""
        return self.data / "relay.db"

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The store, to be read. Raises `sqlite3.Error`."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=_PATIENCE)) as found:
            yield found


Check = Callable[[Patient], Iterator[Finding]]
