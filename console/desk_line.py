"""The line of a person at the lawful desk: the desk's operator routes, with the token that names the person. In a thread."""

import asyncio
import json
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from blindrelay.console.errors import ConsoleError
from blindrelay.console.relay_https import to_desk
from blindrelay.protocol.errors import Malformed

# The last approval is answered when the package is made. Seconds.
_PATIENCE: Final = 300.0
_ERROR: Final = 400


class DeskAway(ConsoleError):
    """The desk cannot be reached."""


class DeskRefused(ConsoleError):
    """The desk does not do it; the message says why."""


class DeskLine:
    """Calls the operators' routes.

    Args:
        relay: the data directory of the relay, where its address is.
        token: of the person.
    """

    def __init__(self, relay: Path, token: str) -> None:
        self._relay = relay
        self._token = token

    async def get(self, path: str) -> Any:
        """Look at something. Raises `DeskAway`, `DeskRefused`, and so does `post`."""
        return await asyncio.to_thread(self._call, "GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Do something."""
        return await asyncio.to_thread(self._call, "POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            connection = to_desk(self._relay, _PATIENCE)
            try:
                data = None if body is None else json.dumps(body).encode()
                headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
                connection.request(method, f"/v1/operator{path}", data, headers)
                answer = connection.getresponse()
                text = answer.read()
            finally:
                connection.close()
            value = json.loads(text)
        except (OSError, HTTPException, Malformed, ValueError) as error:
            raise DeskAway("the lawful desk does not answer: is the relay running?") from error
        if answer.status >= _ERROR:
            raise DeskRefused(str(value.get("detail", f"the desk answered with status {answer.status}")))
        return value
