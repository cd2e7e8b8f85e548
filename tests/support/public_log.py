"""A public log over HTTPS, with entries of a test's choosing, whose files a test may spoil."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.protocol.transparency.entries import Bundle, pack, unpack
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.policy import Trust, Witness
from blindrelay.protocol.transparency.tiles import Tile
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.https import HttpsServer, ServerLimits
from blindrelay.relay.transparency.http import application
from blindrelay.relay.transparency.log import Log, LogSettings
from blindrelay.witness.service import Witness as WitnessService

from .party import HandClock

NAME: Final = "directory"
REFRESH: Final = 600.0


class Entries:
    """A log's committed entries, in memory."""

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self.all = list(entries)

    async def entries(self, start: int) -> list[bytes]:
        """Some of those from `start` on."""
        return self.all[start : start + 4_096]

    async def count(self) -> int:
        """How many there are."""
        return len(self.all)


@dataclass
class LogSite:
    """Logs with one key, one of which is shown."""

    folder: Path
    clock: HandClock
    address: LogsAddress
    shown: dict[str, Log]
    stack: contextlib.AsyncExitStack
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("relay.example/directory"))
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    sources: dict[str, Entries] = field(default_factory=dict)

    @property
    def trust(self) -> Trust:
        """By what the log is to be verified."""
        return Trust.threshold(self.key.verifier, self.witnesses, self.quorum)

    async def witnessed(self, folder: Path) -> Witness:
        """From now on the log has one more witness, and needs all of them. A real one."""
        own = WitnessService(folder, [self.key.verifier], name=f"witness/{len(self.witnesses)}", clock=self.clock)
        await self.stack.enter_async_context(own)
        added = Witness(f"w{len(self.witnesses)}", own.key, own.url)
        self.witnesses, self.quorum = (*self.witnesses, added), self.quorum + 1
        return added

    async def open(self, name: str, entries: Iterable[bytes], *keys: SigningKey) -> Log:
        """A log in a folder of its own, published; with the keys that are given, if any are, the current one first."""
        self.sources[name] = Entries(entries)
        settings = LogSettings(self.trust, keys or (self.key,), REFRESH)
        log = await Log.open(self.folder / name, self.sources[name], settings, self.clock)
        self.stack.push_async_callback(log.close)
        return log

    async def show(self, entries: Iterable[bytes], name: str = "shown") -> Log:
        """From now on everybody is shown a log of these entries."""
        self.shown[NAME] = log = await self.open(name, entries)
        return log

    async def add(self, *entries: bytes, name: str = "shown") -> None:
        """Add entries to the log that is shown, and publish them."""
        self.sources[name].all += entries
        assert await self.shown[NAME].publish()

    # Spoiling.

    def path(self, piece: Tile | Bundle) -> Path:
        """The file that is served."""
        return self.shown[NAME].shelf.path(piece)

    def rewrite(self, bundle: Bundle, change: Callable[[list[bytes]], Iterable[bytes]]) -> None:
        """Serve a bundle with other entries."""
        entries = unpack(bundle, self.path(bundle).read_bytes())
        self.path(bundle).write_bytes(pack(change(entries)))


@contextlib.asynccontextmanager
async def log_site(folder: Path, clock: HandClock) -> AsyncIterator[LogSite]:
    """A place for a log on a free port of the loopback."""
    async with contextlib.AsyncExitStack() as stack:
        with DataDirectory.open(folder / "relay", now=time.time()) as directory:
            shown: dict[str, Log] = {}
            server = HttpsServer(application(shown, ()), ServerLimits(), "the log", "nothing")
            port = await server.start("127.0.0.1", 0, directory.certificate, directory.key)
            stack.push_async_callback(server.stop)
            address = LogsAddress("127.0.0.1", port, directory.certificate.read_bytes())
        yield LogSite(folder, clock, address, shown, stack)
