"""How the relay does, over the last minutes: its operations endpoint, asked every other second while somebody looks on, and now
and then otherwise, so that whoever comes has something to see."""

import asyncio
import contextlib
import json
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed

#: Between two samples while somebody looks on, and otherwise. Seconds.
EVERY: Final = 2.0
IDLE: Final = 10.0
#: Samples that are kept: ten minutes of somebody's who looks on.
KEPT: Final = 300
# Nobody has looked for so long: nobody looks on. Seconds.
_FORGOTTEN: Final = 30.0
_PATIENCE: Final = 5.0
_MAX_ANSWER: Final = 1 << 20
_DEVICES: Final = "(SELECT count(*) FROM device WHERE device.tenant = tenant.name)"
_TENANTS: Final = f"SELECT name, jurisdiction, {_DEVICES} FROM tenant ORDER BY name"  # noqa: S608 - nothing from outside


class Operations:
    """See the module.

    Attributes:
        every: between two samples while somebody looks on. Seconds.
        now: the last answer; None: there is none, and `reason` says why.
        samples: those before it, the oldest first.
    """

    def __init__(self, relay: Path, is_up: Callable[[], bool], clock: Clock) -> None:
        self._relay = relay
        self._is_up = is_up
        self._clock = clock
        self._looked = float("-inf")
        self._wanted = asyncio.Event()
        self.every = EVERY
        self.now: dict[str, Any] | None = None
        self.reason = ""
        self.samples: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def look(self) -> dict[str, Any]:
        """Somebody looks: from now on there are more samples."""
        if self._clock.monotonic() - self._looked > _FORGOTTEN:
            self._wanted.set()
        self._looked = self._clock.monotonic()
        return {"now": self.now, "reason": self.reason, "samples": list(self.samples)}

    async def work(self) -> None:
        """Ask for ever."""
        while True:
            await self._sample()
            self._wanted.clear()
            looks = self._clock.monotonic() - self._looked <= _FORGOTTEN
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.every if looks else IDLE):
                    await self._wanted.wait()

    async def _sample(self) -> None:
        if not self._is_up():
            self.now, self.reason = None, "The relay is not there."
            return
        try:
            self.now = await asyncio.to_thread(self._ask)
            self.reason = "" if self.now else "This relay runs without an operations endpoint."
        except (OSError, HTTPException, Malformed, ValueError):
            self.now, self.reason = None, "The relay's operations endpoint does not answer."
        if self.now is not None:
            self.samples.append(_sample(self.now))

    def _ask(self) -> dict[str, Any] | None:
        url = Endpoint.read(self._relay / FILE_NAME).operations
        if url is None:
            return None
        place = urlsplit(url)
        connection = HTTPConnection(place.hostname or "", place.port or 80, timeout=_PATIENCE)
        try:
            connection.request("GET", "/status")
            value = json.loads(connection.getresponse().read(_MAX_ANSWER))
        finally:
            connection.close()
        if not isinstance(value, dict):
            raise Malformed("the status is no object")
        return value

    async def tenants(self) -> list[dict[str, Any]]:
        """Who is registered, where they are at home, and how many devices they have. Empty where that cannot be read."""
        return await asyncio.to_thread(self._tenants)

    def _tenants(self) -> list[dict[str, Any]]:
        file = self._relay / "relay.db"
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=1)) as database:
                rows = database.execute(_TENANTS).fetchall()
        except sqlite3.Error:
            return []
        return [
            {"name": name, "jurisdiction": jurisdiction, "devices": devices} for name, jurisdiction, devices in rows
        ]


def _sample(report: dict[str, Any]) -> dict[str, Any]:
    commits = report.get("commits", {})
    return {
        "at": report.get("now"),
        "accepted": report.get("accepted"),
        "delivered": report.get("delivered"),
        "waiting": report.get("waiting"),
        "queue": report.get("queue_bytes"),
        "connections": sum(report.get("connections", {}).values()),
        "half": commits.get("half"),
        "most": commits.get("most"),
    }
