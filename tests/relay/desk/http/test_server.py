"""The HTTPS server on a real socket: TLS 1.3, bounds, deadlines, and what it says of itself."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from blindrelay.clients.tls import anonymous_context
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.desk.http.guard import SECURITY_HEADERS, Guard
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.errors import AddressInUse
from blindrelay.relay.https import HttpsServer
from support.party import HandClock

# Nothing here waits for one of these unless it is what a test is about.
PATIENT = DoorLimits()
Answer = Callable[[Scope, Receive, Send], Awaitable[None]]
REQUEST = b"POST / HTTP/1.1\r\nHost: desk\r\nContent-Length: 4\r\n\r\nbody"


class Line:
    """A TLS connection that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def ends(self) -> bool:
        """Wait until the server has hung up; whether it said nothing more."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            return await self.reader.read() == b""
        return True


class Served:
    """A server in a folder, and lines to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.recorded: list[str] = []

    @contextlib.asynccontextmanager
    async def running(self, app: Answer, limits: DoorLimits = PATIENT) -> AsyncIterator["Served"]:
        async def record(reason: str, _: str) -> None:
            self.recorded.append(reason)

        with DataDirectory.open(self.folder, now=SystemClock().now()) as data:
            server = HttpsServer(Guard(app, limits, HandClock(), record), limits, "the desk", "https_port below [desk]")
            self.port = await server.start("127.0.0.1", 0, data.certificate, data.key)
            self.ca = data.certificate.read_bytes()
            try:
                yield self
            finally:
                await server.stop()

    @contextlib.asynccontextmanager
    async def line(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Line]:
        context = context or anonymous_context(self.ca)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path / "relay")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body of the request."""
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def test_an_answer_has_its_headers(served: Served) -> None:
    """Every answer forbids what a browser could do with it, has a date, and names no server software."""
    async with served.running(echo), served.line() as line:
        line.writer.write(REQUEST)
        status, headers, body = await line.answer()

    assert (status, body) == (200, b"body")
    assert {name.decode(): value.decode() for name, value in SECURITY_HEADERS}.items() <= headers.items()
    assert headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert "server" not in headers


async def test_older_tls_is_refused(served: Served) -> None:
    """TLS 1.2 gets no connection."""
    async with served.running(echo):
        context = anonymous_context(served.ca)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with served.line(context):
                pass
        async with served.line() as line:
            assert line.writer.get_extra_info("ssl_object").version() == "TLSv1.3"


async def test_a_slow_head_is_cut_off(served: Served) -> None:
    """A connection that does not finish its head, or says nothing at all, is closed after its time."""
    async with served.running(echo, replace(PATIENT, head_seconds=0.05)):
        async with served.line() as line:
            line.writer.write(b"POST / HTTP/1.1\r\nHo")
            assert await line.ends()
        async with served.line() as silent:
            assert await silent.ends()


async def test_a_slow_second_head_is_cut_off(served: Served) -> None:
    """The deadline holds for each request of a connection, not for the first one alone."""
    async with served.running(echo, replace(PATIENT, head_seconds=0.05)), served.line() as line:
        line.writer.write(REQUEST + b"P")
        assert (await line.answer())[0] == 200
        assert await line.ends()


async def test_a_slow_body_is_refused(served: Served) -> None:
    """A body that does not come in its time is answered with 408, and the connection ends."""
    async with served.running(echo, replace(PATIENT, body_seconds=0.05)), served.line() as line:
        line.writer.write(REQUEST[:-2])
        status, headers, body = await line.answer()

        assert (status, headers["content-type"]) == (408, "application/problem+json")
        assert json.loads(body)["type"].endswith(":too-slow")
        assert await line.ends()


async def test_a_body_without_an_announced_length_is_cut_off_at_the_limit(served: Served) -> None:
    """Chunked bodies are counted as they come; what is too large is refused before it has ended, and recorded."""
    async with served.running(echo, replace(PATIENT, body=1_000)), served.line() as line:
        line.writer.write(b"POST / HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n")
        line.writer.write(b"3e8\r\n" + b"a" * 1_000 + b"\r\n1\r\na\r\n")
        assert (await line.answer())[0] == 413
        assert await line.ends()
    assert served.recorded == ["too-large"]


async def test_whoever_does_not_read_is_hung_up_on(served: Served) -> None:
    """An answer that nobody takes off the line holds neither memory nor a task for longer than its time."""
    ended = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"a" * 65_536, "more_body": True})
        finally:
            ended.set()

    async with served.running(endless, replace(PATIENT, send_seconds=0.05)), served.line() as line:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        line.writer.write(REQUEST)
        await ended.wait()


async def test_an_address_has_so_many_connections(served: Served) -> None:
    """Past its limit an address is hung up on, and may come again when one of its connections has ended."""
    async with served.running(echo, replace(PATIENT, connections_per_address=1)):
        async with served.line() as first:
            first.writer.write(REQUEST)
            assert (await first.answer())[0] == 200
            async with served.line() as second:
                assert await second.ends()
        # The server hears of the first one's end a moment later.
        for _ in range(100):
            async with served.line() as third:
                third.writer.write(REQUEST)
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    assert (await third.answer())[0] == 200
                    return
    pytest.fail("the first connection was never given back")


@pytest.mark.parametrize(
    "junk",
    [
        b"GIVE ME EVERYTHING\r\n\r\n",
        b"\x16\x03\x01\x00",
        b"GET / HTTP/1.1\r\nHost: desk\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_problem_too(served: Served, junk: bytes) -> None:
    """It is answered in the form that every refusal has, without a word about the software."""
    async with served.running(echo), served.line() as line:
        line.writer.write(junk + b"\r\n" * 2)
        status, headers, body = await line.answer()

    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["detail"] == "this is not HTTP/1.1"


async def test_a_large_head_is_refused(served: Served) -> None:
    """A head over 8 KiB is not collected."""
    async with served.running(echo), served.line() as line:
        line.writer.write(b"GET / HTTP/1.1\r\nHost: desk\r\nCookie: " + b"a" * 20_000)
        assert (await line.answer())[0] == 400


async def test_a_failure_tells_nothing(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    """A fault of ours is a problem with no trace in it; the log has the kind of error and the place."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("alice@acme.example wrote to bob@globex.example")

    async with served.running(broken), served.line() as line:
        line.writer.write(REQUEST)
        status, _, body = await line.answer()

    assert (status, json.loads(body)["type"]) == (500, "urn:blindrelay:problem:internal")
    assert b"alice" not in body
    assert b"Traceback" not in body


async def test_a_failure_in_the_middle_ends_the_connection(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    """When half of an answer is out, the other half is not made up; and nothing of it is written to a log by the server."""

    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise ValueError("bob@globex.example")

    async with served.running(half), served.line() as line:
        line.writer.write(REQUEST)
        with pytest.raises(asyncio.IncompleteReadError):
            await line.answer()


async def test_the_end_of_a_relay_ends_what_is_under_way(served: Served) -> None:
    """A stop does not wait for a stream that never ends."""
    cancelled = asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with contextlib.AsyncExitStack() as lines:
        async with served.running(stream, replace(PATIENT, stop_seconds=0.05)):
            line = await lines.enter_async_context(served.line())
            line.writer.write(REQUEST)
            await line.reader.readuntil(b"\r\n\r\na")
        assert cancelled.is_set()
        assert await line.ends()


async def test_a_client_that_leaves_is_not_waited_for(served: Served) -> None:
    """Half a body and a closed connection: nobody answers, and nothing is left behind."""
    reached: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(await receive())

    async with served.running(app), served.line() as line:
        line.writer.write(REQUEST[:-2])
        await line.writer.drain()
    assert reached == []


async def test_a_taken_port_is_a_sentence(served: Served, tmp_path: Path) -> None:
    """It names the address and the setting to change."""
    async with served.running(echo):
        folder = tmp_path / "another"
        with DataDirectory.open(folder, now=SystemClock().now()) as data:
            server = HttpsServer(echo, PATIENT, "the desk", "https_port below [desk]")
            with pytest.raises(AddressInUse, match=rf"127\.0\.0\.1:{served.port}.*https_port"):
                await server.start("127.0.0.1", served.port, data.certificate, data.key)
