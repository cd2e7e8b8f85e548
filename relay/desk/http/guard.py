"""What every HTTP request meets first and every answer last: limits, deadlines, headers, and no stack traces.

An ASGI application around another one. The body is read here, whole, within its limit and its time, so that nothing behind
waits for a client that does not hurry.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blindrelay.protocol.clock import Clock
from blindrelay.relay.desk.http.limits import DoorLimits, Gauge
from blindrelay.relay.desk.problems import PROBLEM_JSON, CallRefused, ProblemKind

#: What each answer carries. Nothing of it is for a browser, and nothing is to be kept by one.
SECURITY_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
)

Record = Callable[[str, str], Awaitable[None]]

_log = structlog.get_logger()


class ClientTooSlow(Exception):
    """The client did not read its answer in time; its connection ends."""


class ClientLeft(Exception):
    """The client went before it had said everything."""


class Guard:
    """See the module.

    Args:
        app: what answers.
        limits: how much is too much.
        clock: for the rate of an address, and the date of an answer.
        record: called with a reason and a digest (SHA-256, hex) for a call that was cut off here.
    """

    def __init__(self, app: ASGIApp, limits: DoorLimits, clock: Clock, record: Record) -> None:
        self._app = app
        self._limits = limits
        self._clock = clock
        self._record = record
        self._addresses = Gauge(limits.address_rate, limits.address_burst, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return  # there are no web sockets here, and nothing to be started
        answer = _Answer(send, self._limits.send_seconds, self._clock)
        try:
            body = await self._admit(scope, receive)
            await self._app(scope, _replay(body, receive), answer)
        except CallRefused as refusal:
            await answer.problem(refusal.kind, retry_after=self._addresses.retry_after)
        except ClientLeft:
            return
        except ClientTooSlow:
            raise
        except Exception:
            _log.exception("request failed")
            if answer.has_begun:
                raise  # too late to say so: the connection ends in the middle, and the client notices
            await answer.problem(ProblemKind.INTERNAL)

    async def _admit(self, scope: Scope, receive: Receive) -> bytes:
        address = scope["client"][0] if scope.get("client") else ""
        if not self._addresses.allows(address):
            raise CallRefused(ProblemKind.TOO_MANY)
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more and len(body) <= self._limits.body:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientLeft
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError as error:
            raise CallRefused(ProblemKind.TOO_SLOW) from error
        if len(body) > self._limits.body:
            await self._record(ProblemKind.TOO_LARGE.slug, sha256(body).hexdigest())
            raise CallRefused(ProblemKind.TOO_LARGE)
        return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """What was read, once; afterwards the connection itself, which says when the client leaves."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


class _Answer:
    """A `send` that adds our headers and does not wait for ever."""

    def __init__(self, send: Send, seconds: float, clock: Clock) -> None:
        self._send = send
        self._seconds = seconds
        self._clock = clock
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            date = format_datetime(datetime.fromtimestamp(self._clock.now(), UTC), usegmt=True).encode()
            message = {**message, "headers": [*message.get("headers", ()), *SECURITY_HEADERS, (b"date", date)]}
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError as error:
            raise ClientTooSlow from error

    async def problem(self, kind: ProblemKind, *, retry_after: int = 1) -> None:
        body = kind.problem().model_dump_json().encode()
        headers = [
            (b"content-type", PROBLEM_JSON.encode()),
            (b"content-length", str(len(body)).encode()),
            # What is left of the request's body is not read: the next request could not be found behind it.
            (b"connection", b"close"),
        ]
        if kind is ProblemKind.TOO_MANY:
            headers.append((b"retry-after", str(retry_after).encode()))
        await self({"type": "http.response.start", "status": kind.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})
