"""A relay's desk, as an authority calls it: signed calls over HTTPS, to a relay whose certificate is known.

```python
async with DeskClient(identity, address, clock) as desk:
    answer = await desk.request(request)
    await desk.fetch(answer.case_id, "d1", Path("d1.package"))
```
"""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Final, Self, TypeVar
from uuid import UUID

import httpx
from pydantic import Field, TypeAdapter, ValidationError

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.clients.errors import ConnectionLost, RelayUnreachable, RequestRefused, StoreError, TimedOut
from blindrelay.clients.tls import anonymous_context
from blindrelay.policies.exchange import (
    JOSE,
    CaseAnswer,
    CaseReference,
    DemandReference,
    FetchCall,
    Problem,
    ReceiptCall,
    RelayIdentity,
    RequestCall,
    StatusCall,
    StreamCall,
    WithdrawCall,
)
from blindrelay.policies.leaves import Receipt
from blindrelay.policies.records import AccessRecord, TrafficRecord
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.stream import EndReason, Gap, StreamEnd, StreamEvent
from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.protocol.statements import Wire

#: How long the desk may take for an answer; a silent stream beats four times within it. Seconds.
TIMEOUT: Final = 60.0
# Sixteen demands with all their reasons and a letter have some 200 kB.
_MAX_ANSWER: Final = 4_194_304
_MAX_LINE: Final = 65_536
#: Pauses before a stream is taken up again, in seconds; the last one stays.
PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 15.0)

_RECORD: Final[TypeAdapter[TrafficRecord | AccessRecord | Gap | StreamEnd]] = TypeAdapter(
    Annotated[TrafficRecord | AccessRecord | Gap | StreamEnd, Field(discriminator="record")]
)

Parsed = TypeVar("Parsed", bound=Wire)

#: Told how many bytes have come, and how many there will be.
Progress = Callable[[int, int], None]


class DeskRefused(RequestRefused):
    """The desk answered with a problem; `code` is its type without the prefix, `status` the HTTP status."""

    def __init__(self, problem: Problem, advice: str = "") -> None:
        super().__init__(problem.type.rpartition(":")[2], f"{problem.title}: {problem.detail}{advice}")
        self.status = problem.status


class DeskClient:
    """An authority's line to a desk. An async context manager.

    Args:
        identity: who calls.
        address: where the desk is.
        clock: when a call is signed.
        pauses: before a stream is taken up again, in seconds; the last one stays.

    Attributes:
        identity: who calls.
        relay: who answers, after `async with`: the relay that the authority has met first, or an error.
        last_call: SHA-256, in hex, of the last call as it was signed: what the public log has of a request.
    """

    relay: RelayIdentity
    last_call: str

    def __init__(
        self,
        identity: AuthorityIdentity,
        address: DeskAddress,
        clock: Clock | None = None,
        *,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.identity = identity
        self._clock = clock or SystemClock()
        self._http = http_client(address)
        self._pauses = pauses

    async def __aenter__(self) -> Self:
        """Ask who the relay is.

        Raises:
            RelayUnreachable: nobody answers there, or somebody with another certificate.
            IdentityRejected: it is another relay than the one that was met before; or our own certificate has expired.
        """
        try:
            self.identity.check_valid(self._clock)
            self.relay = self.identity.meet(await identify(self._http))
        except BaseException:
            await self._http.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def request(self, document: LawfulRequest) -> CaseAnswer:
        """Hand a request in. Raises `DeskRefused`, `RelayUnreachable`, `ConnectionLost`, `TimedOut`, as all of these do."""
        return await self._ask("/v1/requests", RequestCall(**self._claims(), document=document))

    async def status(self, case_id: UUID) -> CaseAnswer:
        """How a case stands."""
        return await self._ask("/v1/status", StatusCall(**self._claims(), document=CaseReference(case_id=case_id)))

    async def withdraw(self, case_id: UUID) -> CaseAnswer:
        """Take a request back."""
        reference = CaseReference(case_id=case_id)
        return await self._ask("/v1/withdrawals", WithdrawCall(**self._claims(), document=reference))

    async def fetch(
        self, case_id: UUID, demand_id: str, out: Path, progress: Progress = lambda _done, _of: None
    ) -> None:
        """Fetch a sealed package into `out`, a new file (mode 0600), which is there whole or not at all.

        Raises:
            StoreError: it cannot be written, or is there already.
        """
        reference = DemandReference(case_id=case_id, demand_id=demand_id)
        async with self._call("/v1/packages", FetchCall(**self._claims(), document=reference)) as response:
            await _keep(response, out, progress)

    async def receipt(self, case_id: UUID, demand_id: str) -> Receipt:
        """The proof that the public log has a package. Nothing of it is verified: see `clients.authority.receipt`."""
        reference = DemandReference(case_id=case_id, demand_id=demand_id)
        async with self._call("/v1/receipts", ReceiptCall(**self._claims(), document=reference)) as response:
            return _parsed(Receipt, await _body(response))

    async def stream(
        self, case_id: UUID, demand_id: str, after: str | None = None
    ) -> AsyncGenerator[StreamEvent, None]:
        """Follow a real-time order over one connection, from behind the position `after` on, to its end or the connection's."""
        reference = DemandReference(case_id=case_id, demand_id=demand_id)
        call = StreamCall(**self._claims(), document=reference, after=after)
        async with self._call("/v1/streams", call) as response:
            async for event in _events(response):
                yield event

    async def follow(
        self, case_id: UUID, demand_id: str, after: str | None = None
    ) -> AsyncGenerator[StreamEvent, None]:
        """The same over as many connections as it takes, until the order ends. Nothing comes twice."""
        failures = 0
        while True:
            try:
                async for event in self.stream(case_id, demand_id, after):
                    failures = 0
                    after = event.position
                    if isinstance(event.record, StreamEnd):
                        if event.record.reason is EndReason.STOPPING:
                            break
                        yield event
                        return
                    yield event
            except (ConnectionLost, RelayUnreachable, TimedOut):
                pass
            await asyncio.sleep(self._pauses[min(failures, len(self._pauses) - 1)])
            failures += 1

    def _claims(self) -> dict[str, Any]:
        # Random, of version 4: nobody can use a number up that a call of ours is going to have.
        number = UUID(bytes=secrets.token_bytes(16), version=4)
        return {"aud": self.relay.id, "iat": int(self._clock.now()), "jti": number}

    async def _ask(self, path: str, call: Wire) -> CaseAnswer:
        async with self._call(path, call) as response:
            return _parsed(CaseAnswer, await _body(response))

    @asynccontextmanager
    async def _call(self, path: str, call: Wire) -> AsyncIterator[httpx.Response]:
        content, headers = self.identity.sign(call.model_dump_json().encode()), {"content-type": JOSE}
        self.last_call = sha256(content).hexdigest()
        with _Translated(self._http):
            async with self._http.stream("POST", path, content=content, headers=headers) as response:
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    raise DeskRefused(_parsed(Problem, await _body(response)), self._advice())
                await _check(response)
                yield response

    def _advice(self) -> str:
        """What a relay does not say to those whom it does not know: whom it knows."""
        return (
            f". Has the relay's operator entered {self.identity.card.id} (`blindrelay desk register`), and is this machine's "
            "clock right?"
        )


def http_client(address: DeskAddress) -> httpx.AsyncClient:
    """HTTP to a desk: TLS 1.3 to the certificate that is known, no proxies, no redirects, nothing of the environment's.

    Raises:
        NotEnrolled: the address has no certificate.
    """
    return httpx.AsyncClient(
        base_url=address.url,
        verify=anonymous_context(address.ca),
        timeout=TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        headers={"user-agent": "blindrelay"},
    )


async def identify(http: httpx.AsyncClient) -> RelayIdentity:
    """Who answers there. Raises `RelayUnreachable`, `ConnectionLost`, `TimedOut`, `DeskRefused`."""
    with _Translated(http):
        async with http.stream("GET", "/v1/relay") as response:
            await _check(response)
            return _parsed(RelayIdentity, await _body(response))


class _Translated:
    """httpx's errors as ours."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(value, httpx.ConnectError | httpx.ConnectTimeout):
            raise RelayUnreachable(
                f"no desk answers at {self._http.base_url}, or not with the certificate that we know ({value}): is the relay "
                "running (`blindrelay up`), and is that its desk's port?"
            ) from value
        if isinstance(value, httpx.TimeoutException):
            raise TimedOut("the desk did not answer in time: ask again") from value
        if isinstance(value, httpx.HTTPError):
            raise ConnectionLost("the connection to the desk ended before the answer was whole: ask again") from value


async def _check(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        raise DeskRefused(_parsed(Problem, await _body(response)))


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _MAX_ANSWER:
            raise ConnectionLost("the desk's answer is larger than any answer of a desk's")
    return bytes(body)


def _parsed(kind: type[Parsed], body: bytes) -> Parsed:
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        raise ConnectionLost("what answers there does not speak as a relay's desk does: check the address") from None


async def _keep(response: httpx.Response, out: Path, progress: Progress) -> None:
    """Write the body to `out`, whole or not at all."""
    expected = int(response.headers.get("content-length", "0"))
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            async for piece in response.aiter_raw(65_536):
                file.write(piece)
                progress(file.tell(), expected)
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, out)  # unlike a rename, it does not replace what is there
    except FileExistsError as error:
        raise StoreError(f"{out} is there already: name another file") from error
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


async def _events(response: httpx.Response) -> AsyncIterator[StreamEvent]:
    """Server-sent events (HTML standard, 9.2), as far as a desk makes use of them: id, data, and comments."""
    position, data, rest = "", "", b""
    async for piece in response.aiter_raw():
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > _MAX_LINE:
            raise ConnectionLost("a line of the stream is longer than any record")
        for line in lines:
            field, _, value = line.decode("utf-8", "replace").partition(": ")
            if field == "id":
                position = value
            elif field == "data":
                data = value
            elif not line and data:
                event = _event(position, data)
                data = ""
                yield event
                if isinstance(event.record, StreamEnd):
                    return
    raise ConnectionLost("the stream ended before the order did")


def _event(position: str, data: str) -> StreamEvent:
    try:
        return StreamEvent(position, _RECORD.validate_json(data))
    except ValidationError:
        raise ConnectionLost("the stream holds something that is no record") from None
