"""A log in a folder of its own, over entries in memory."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.policy import Trust, Witness
from blindrelay.relay.transparency.log import Log, LogSettings
from support.merkle import LOG
from support.party import HandClock
from support.public_log import REFRESH, Entries


@dataclass
class Publisher:
    """Opens logs, all with the same key, and closes those that are left open."""

    folder: Path
    clock: HandClock
    stack: contextlib.AsyncExitStack
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("relay.example/directory"))
    keys: tuple[SigningKey, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    source: Entries = field(default_factory=Entries)

    @property
    def trust(self) -> Trust:
        """By what the log is to be verified."""
        return Trust.threshold((self.keys or (self.key,))[0].verifier, self.witnesses, self.quorum)

    async def open(self, size: int | None = None, *, folder: Path | None = None, source: Entries | None = None) -> Log:
        """The log; before that, the source has so many of the entries that all tests have."""
        if size is not None:
            self.have(size)
        settings = LogSettings(self.trust, self.keys or (self.key,), REFRESH)
        log = await Log.open(folder or self.folder, source or self.source, settings, self.clock)
        self.stack.push_async_callback(log.close)
        return log

    def have(self, size: int) -> None:
        """So many entries are committed."""
        self.source.all[:] = LOG.entries[:size]

    def check(self, log: Log, size: int) -> None:
        """What is published verifies, and is of `size` entries."""
        head = self.trust.open(log.published.note).checkpoint
        assert (head.size, head.root) == (size, LOG.root(size))
        assert log.shelf.checkpoint() == log.published.note


@pytest.fixture
def clock() -> HandClock:
    """A clock that is set by hand."""
    return HandClock()


@pytest.fixture
async def publisher(tmp_path: Path, clock: HandClock) -> AsyncIterator[Publisher]:
    """Without witnesses."""
    async with contextlib.AsyncExitStack() as stack:
        yield Publisher(tmp_path / "log", clock, stack)
