"""A log in a folder of its own, over entries in memory."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.policy import Trust, Witness
from blindrelay.protocol.transparency.tiles import TILE_WIDTH, Tile
from blindrelay.relay.transparency.log import Log, LogSettings
from blindrelay.relay.transparency.shelf import Shelf

from .merkle import LOG
from .party import HandClock
from .public_log import REFRESH, Entries


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

    async def show(self) -> Log:
        """The same log at another node, which does not publish."""
        log = await Log.show(
            Shelf(self.folder), self.source, LogSettings(self.trust, self.keys or (self.key,), REFRESH), self.clock
        )
        self.stack.push_async_callback(log.close)
        return log

    def have(self, size: int) -> None:
        """So many entries are committed."""
        self.source.all[:] = LOG.entries[:size]

    def check(self, log: Log, size: int) -> None:
        """What is published verifies, and is of `size` entries; everything below it is there."""
        head = self.trust.open(log.published.note).checkpoint
        assert (head.size, head.root) == (size, LOG.root(size))
        assert log.shelf.checkpoint() == log.published.note
        for start in range(0, size, TILE_WIDTH):
            index, width = start // TILE_WIDTH, min(TILE_WIDTH, size - start)
            assert log.shelf.fetch(Tile(0, index, width)) == LOG.tile(0, index, width)
            assert log.shelf.fetch(Bundle(index, width)) == pack(LOG.entries[start : start + width])
