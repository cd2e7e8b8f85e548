"""The files of a log over HTTPS (https://c2sp.org/tlog-tiles), as bytes: nothing is verified but the server's certificate."""

from types import TracebackType
from typing import Final, Protocol, Self

import httpx

from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.clients.errors import ConnectionLost, RelayUnreachable, TimedOut
from blindrelay.clients.tls import anonymous_context
from blindrelay.protocol.transparency.entries import MAX_ENTRY
from blindrelay.protocol.transparency.tiles import TILE_WIDTH

#: For one file. Seconds.
TIMEOUT: Final = 30.0
#: The largest file that a log can have: a bundle of entries, each as long as one may be.
MAX_FILE: Final = TILE_WIDTH * (MAX_ENTRY + 2)
# A server may close a connection in the moment in which it is asked again. What was asked for never changes.
_ATTEMPTS: Final = 2


class Source(Protocol):
    """Where the files of one log come from."""

    async def get(self, path: str, limit: int = MAX_FILE) -> bytes | None:
        """The file at `path` below the log's prefix, `limit` bytes at most; None if there is none."""


class HttpSource:
    """What is below `url` on a relay's public web server. An async context manager."""

    def __init__(self, address: LogsAddress, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=self.url,
            verify=anonymous_context(address.ca),
            timeout=TIMEOUT,
            trust_env=False,
            follow_redirects=False,
            # Compressed, a few bytes may be as many as they like.
            headers={"user-agent": "blindrelay", "accept-encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, limit: int = MAX_FILE) -> bytes | None:
        """See `Source`.

        Raises:
            RelayUnreachable: nobody answers there, or somebody with another certificate.
            ConnectionLost: the answer is not whole, or none of a log's.
            TimedOut
        """
        for attempt in range(_ATTEMPTS):
            try:
                return await self._get(path, limit)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise RelayUnreachable(
                    f"nobody answers at {self.url}, or not with the certificate that we know: {error}"
                ) from error
            except httpx.TimeoutException as error:
                raise TimedOut(f"{self.url}{path} did not come in time: ask again") from error
            except httpx.HTTPError as error:
                if attempt == _ATTEMPTS - 1:
                    raise ConnectionLost(f"the connection ended before {self.url}{path} was whole") from error
        raise AssertionError

    async def _get(self, path: str, limit: int) -> bytes | None:
        async with self._http.stream("GET", path) as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                return None
            if response.status_code != httpx.codes.OK:
                raise ConnectionLost(f"{self.url}{path} is answered with {response.status_code}, not with a log's file")
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > limit:
                    raise ConnectionLost(f"{self.url}{path} has more than {limit:,} bytes, as no such file of a log")
            return bytes(body)
