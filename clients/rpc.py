"""Requests to the relay and their answers, told apart by correlation data (MQTT 5, 4.10)."""

import asyncio
import json
import secrets
from typing import Final, Protocol, TypeVar

from pydantic import ValidationError

from blindrelay.clients.errors import ClientError, ConnectionLost, RequestRefused, UnknownRecipient
from blindrelay.clients.link import REFUSED, Inbound, Link, PublishProperties
from blindrelay.protocol import topics
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import LOOK_UP_USER, Answer, ErrorCode, Method
from blindrelay.protocol.statements import Wire

Request = TypeVar("Request", bound=Wire)
Response = TypeVar("Response", bound=Wire)

# PUBACK codes that say "not now": quota or disk full, rate (0x97); the packet identifier is still taken (0x91). All others
# speak of this message, and are final.
NOT_NOW: Final = frozenset({0x91, 0x97})
# Refusals of a request that say so.
BUSY: Final = frozenset({ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE})
# So many requests are under way at once; the relay bounds them, too, and others wait more cheaply here than there.
AT_ONCE: Final = 8


class Caller(Protocol):
    """A connection to ask by."""

    async def call(self, method: Method[Request, Response], request: Request, timeout: float | None = None) -> Response:
        """See `Connection.call`."""


class Requests:
    """The requests of one connection that have no answer yet."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._pending: dict[bytes, asyncio.Future[Answer]] = {}

    async def ask(self, method: Method[Request, Response], request: Request, client_id: str) -> Response:
        """Ask once, on the connection that stands now and whose client id is `client_id`. Cancelling forgets the answer.

        Raises:
            RequestRefused (UnknownRecipient): the relay says no, and why; or its answer makes no sense.
            ConnectionLost: there will be no answer. The request may have had its effect.
        """
        async with self._gate:
            return _read(method, await self._answer(method.name, request, client_id))

    async def _answer(self, name: str, request: Wire, client_id: str) -> Answer:
        while self._link.free <= 0:
            if not self._link.up:
                raise ConnectionLost("the connection ended before the request was sent")
            await asyncio.sleep(0.01)
        correlation = secrets.token_bytes(16)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[correlation] = answer

        def settle(code: int, reason: str) -> None:
            if code >= REFUSED and not answer.done():
                kind = ErrorCode.RATE_LIMITED if code in NOT_NOW else ErrorCode.NOT_AUTHORISED
                answer.set_exception(RequestRefused(kind.value, f"the relay refuses {name}: {reason} (0x{code:02x})"))

        properties = PublishProperties(correlation, response_topic=topics.reply(client_id), clock=self._clock)
        self._link.post(topics.rpc(name), request.model_dump_json().encode(), properties, settle)
        try:
            return await answer
        finally:
            self._pending.pop(correlation, None)

    def answered(self, inbound: Inbound) -> None:
        """A PUBLISH to the reply topic. One that answers nothing is ignored: its caller has stopped waiting."""
        answer = self._pending.get(inbound.correlation)
        if answer is None or answer.done():
            return
        try:
            answer.set_result(Answer.model_validate_json(inbound.payload))
        except ValidationError as error:
            answer.set_exception(_malformed("the relay's answer", error))

    def fail(self, error: ClientError) -> None:
        """There will be no answers."""
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(error)


def _read(method: Method[Request, Response], answer: Answer) -> Response:
    if answer.error is not None:
        # Whoever has left is nobody who could be written to.
        has_left = method is LOOK_UP_USER and answer.error.code == ErrorCode.LEFT
        is_unknown = has_left or answer.error.code == ErrorCode.UNKNOWN_USER
        kind = UnknownRecipient if is_unknown else RequestRefused
        raise kind(answer.error.code.value, answer.error.message)
    try:
        # Through JSON, because bytes are base64 in JSON alone.
        return method.response.model_validate_json(json.dumps(answer.result))
    except ValidationError as error:
        raise _malformed(f"the relay's answer to {method.name}", error) from None


def _malformed(what: str, error: ValidationError) -> RequestRefused:
    return RequestRefused(ErrorCode.MALFORMED.value, f"{what} is malformed: {error.error_count()} fields")
