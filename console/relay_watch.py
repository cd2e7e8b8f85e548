"""Whether the relay is there: its public logs are asked for their newest checkpoint, which anybody may, every second.

In a thread, on a connection that stays open.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final

from blindrelay.console.relay_https import NoDoor, to_logs
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed

#: Between two looks, and how long an answer may take. Seconds.
EVERY: Final = 1.0
_PATIENCE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found at one look. `reason`: why it is not there, in words; empty when it is."""

    endpoint: Endpoint | None = None
    reason: str = ""

    @property
    def is_up(self) -> bool:
        """Whether it answers."""
        return not self.reason


class RelayWatch:
    """Looks after the relay of a data directory. Call `look` again and again, in one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: HTTPSConnection | None = None

    def look(self) -> Seen:
        """One look; it may block for some seconds."""
        place = self._folder / FILE_NAME
        try:
            endpoint = Endpoint.read(place)
        except FileNotFoundError:
            self.close()
            return Seen(reason="There is no relay")
        except (OSError, Malformed):
            return Seen(reason="The relay's address cannot be read")
        try:
            self._ask(endpoint)
        except (OSError, HTTPException, ValueError, NoDoor):
            self.close()
            return Seen(reason="The relay does not answer")
        return Seen(endpoint)

    def _ask(self, endpoint: Endpoint) -> None:
        if self._connection is None:
            self._connection = to_logs(self._folder, endpoint, _PATIENCE)
        self._connection.request("GET", "/logs/directory/checkpoint")
        self._connection.getresponse().read()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def watch(folder: Path, clock: Clock, tell: Callable[[dict[str, Any]], None]) -> None:
    """Look for ever, and `tell` when something is different. Cancelling hangs up."""
    relay, before = RelayWatch(folder), None
    try:
        while True:
            seen = await asyncio.to_thread(relay.look)
            if seen != before:
                before = seen
                tell(described(seen, clock.now()))
            await asyncio.sleep(EVERY)
    finally:
        relay.close()


def described(seen: Seen, now: float) -> dict[str, Any]:
    """For the page. `since` is in epoch seconds."""
    endpoint = seen.endpoint
    return {
        "up": seen.is_up,
        "since": int(now),
        "reason": seen.reason,
        "address": "" if endpoint is None else f"{endpoint.host}:{endpoint.port}",
        "has_desk": endpoint is not None and endpoint.desk_port is not None,
    }
