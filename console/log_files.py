"""The files of the public logs, as the relay serves them to everybody, passed on unread: who checks them is the page."""

import asyncio
import re
import threading
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final

from blindrelay.console.errors import ConsoleError
from blindrelay.console.relay_https import to_logs
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed

#: The logs that there are.
NAMES: Final = ("directory", "lawful-access")
_PATH: Final = re.compile(r"checkpoint|policy|tile/(?:entries|\d{1,2})/(?:x\d{3}/)*\d{3}(?:\.p/\d{1,3})?", re.ASCII)
_PATIENCE: Final = 10.0
_OK: Final = 200
# A bundle of 256 entries of 64 KiB.
_MAX_FILE: Final = 1 << 25


class NotServed(ConsoleError):
    """The relay does not serve it."""


class LogFiles:
    """Fetches files, one after the other, on a connection that stays open. `close` hangs up."""

    def __init__(self, relay: Path) -> None:
        self._relay = relay
        self._turn = threading.Lock()
        self._connection: HTTPSConnection | None = None

    async def fetch(self, log: str, path: str) -> bytes:
        """A file of a log. Raises `NotServed`."""
        if log not in NAMES or not _PATH.fullmatch(path):
            raise NotServed("a log has no such file")
        return await asyncio.to_thread(self._fetch, f"/logs/{log}/{path}")

    def _fetch(self, path: str) -> bytes:
        with self._turn:
            for attempt in (1, 2):  # a connection that has been idle for long is closed by the relay
                try:
                    return self._ask(path)
                except (OSError, HTTPException, Malformed) as error:
                    self._hang_up()
                    if attempt == 2:
                        raise NotServed("the relay does not answer: is it running?") from error
        raise AssertionError

    def _ask(self, path: str) -> bytes:
        if self._connection is None:
            self._connection = to_logs(self._relay, Endpoint.read(self._relay / FILE_NAME), _PATIENCE)
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        data = answer.read(_MAX_FILE)
        if answer.status != _OK:
            raise NotServed("the relay does not serve this file of the log (yet)")
        return data

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Hang up."""
        with self._turn:
            self._hang_up()
