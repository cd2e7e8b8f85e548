"""An authority's line to a desk (`clients/authority/desk.py`), over TLS to a server that runs."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import jwt
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient, DeskRefused
from blindrelay.clients.errors import ConnectionLost, IdentityRejected, RelayUnreachable, StoreError
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.stream import EndReason, Gap, GapReason, StreamEnd, StreamEvent
from blindrelay.policies.vocabulary import DataClass, Outcome
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.desk.http.events import encoded
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.https import HttpsServer
from support.desk_site import DeskSite, desk_in

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]
GAP = Gap(data_class=DataClass.TRAFFIC, reason=GapReason.NOT_WATCHED)
QUICK = replace(DoorLimits(), stop_seconds=0.05)


def event(number: int) -> StreamEvent:
    return StreamEvent(f"{number}-0-0-0", GAP)


def end(number: int, reason: EndReason) -> StreamEvent:
    return StreamEvent(f"{number}-0-0-0", StreamEnd(reason=reason))


@asynccontextmanager
async def served(app: ASGIApp, folder: Path) -> AsyncIterator[DeskAddress]:
    """An application at an address, with a certificate of its own."""
    with DataDirectory.open(folder, now=SystemClock().now()) as data:
        server = HttpsServer(app, QUICK, "the desk", "https_port below [desk]")
        port = await server.start("127.0.0.1", 0, data.certificate, data.key)
        try:
            yield DeskAddress("127.0.0.1", port, data.certificate.read_bytes())
        finally:
            await server.stop()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[DeskSite]:
    """A desk that grants what is asked for."""
    (tmp_path / "desk").mkdir()
    site = desk_in(tmp_path / "desk")
    await site.desk.start()
    yield site
    await site.desk.close()


@pytest.fixture
async def address(site: DeskSite, tmp_path: Path) -> AsyncIterator[DeskAddress]:
    """Where it is."""
    async with served(site.app, tmp_path / "relay") as address:
        yield address


def line(site: DeskSite, address: DeskAddress) -> DeskClient:
    """The court's line."""
    return DeskClient(site.court.identity, address, site.court.clock, pauses=(0,))


def document(site: DeskSite) -> LawfulRequest:
    return LawfulRequest.model_validate(site.court.request())


async def approved(site: DeskSite, case_id: UUID) -> None:
    for person in ("ada", "bea"):
        await site.desk.approve(person, str(case_id), "d1")


async def test_a_request_is_answered(site: DeskSite, address: DeskAddress) -> None:
    """Handed in, looked at, taken back."""
    async with line(site, address) as desk:
        answer = await desk.request(document(site))
        assert [demand.outcome for demand in answer.demands] == [Outcome.GRANTED]
        assert await desk.status(answer.case_id) == answer
        assert (await desk.withdraw(answer.case_id)).case_id == answer.case_id


async def test_a_package_is_fetched_whole(site: DeskSite, address: DeskAddress, tmp_path: Path) -> None:
    """It is written for the owner alone, and its progress is told to the last byte."""
    told: list[tuple[int, int]] = []
    async with line(site, address) as desk:
        answer = await desk.request(document(site))
        await approved(site, answer.case_id)
        out = tmp_path / "d1.package"

        await desk.fetch(answer.case_id, "d1", out, lambda done, of: told.append((done, of)))

        body = f"{answer.case_id}/d1 us-court".encode()
        assert out.read_bytes() == body
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert told[-1] == (len(body), len(body))
        with pytest.raises(StoreError, match="already"):
            await desk.fetch(answer.case_id, "d1", out)
        assert not any(path.name.startswith(".") for path in tmp_path.iterdir())  # noqa: ASYNC240 - nothing waits for us


async def test_a_refusal_is_an_error_with_its_type(site: DeskSite, address: DeskAddress, tmp_path: Path) -> None:
    """The desk's own words; nothing is written for it."""
    async with line(site, address) as desk:
        with pytest.raises(DeskRefused, match="there is no such case") as refused:
            await desk.fetch(uuid4(), "d1", tmp_path / "out")
    assert (refused.value.code, refused.value.status) == ("not-found", 404)
    assert not (tmp_path / "out").exists()


async def test_each_call_has_a_number_of_its_own(site: DeskSite, address: DeskAddress) -> None:
    """The same question twice is two calls."""
    async with line(site, address) as desk:
        answer = await desk.request(document(site))
        assert await desk.status(answer.case_id) == await desk.status(answer.case_id)


async def test_another_certificate_is_nobody(site: DeskSite, address: DeskAddress, tmp_path: Path) -> None:
    """Whoever listens there without the certificate that we know gets not one byte of a call."""
    with DataDirectory.open(tmp_path / "other", now=SystemClock().now()) as other:
        pinned = replace(address, ca=other.certificate.read_bytes())
    with pytest.raises(RelayUnreachable):
        await line(site, pinned).__aenter__()


async def test_nobody_is_there(site: DeskSite, address: DeskAddress) -> None:
    """A port that nothing listens on."""
    with pytest.raises(RelayUnreachable):
        await line(site, replace(address, port=1)).__aenter__()


async def test_another_relay_is_refused(site: DeskSite, address: DeskAddress, tmp_path: Path) -> None:
    """A relay that the authority has not met first is not asked anything."""
    async with line(site, address):
        pass
    (tmp_path / "second").mkdir()
    second = desk_in(tmp_path / "second")
    async with served(second.app, tmp_path / "relay-2") as elsewhere:
        with pytest.raises(IdentityRejected):
            await line(site, elsewhere).__aenter__()
    second.desk.journal.close()


class Scripted:
    """A desk that says what a test wants, and remembers what it was asked for."""

    def __init__(self, site: DeskSite, *answers: tuple[int, bytes]) -> None:
        self._site = site
        self._answers = list(answers)
        self.asked: list[dict[str, object]] = []
        #: Ends the connection in the middle of the answer instead of ending the answer.
        self.cuts = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/relay":
            identity = {"id": "relay", "version": "1", "certificate": "x", "jurisdictions": []}
            await self._say(send, 200, json.dumps(identity).encode(), cut=False)
            return
        token = (await receive())["body"]
        key = self._site.court.identity.certificate.public_key()
        self.asked.append(json.loads(jwt.api_jws.decode(token, key, ["ES256"])))
        status, body = self._answers.pop(0)
        await self._say(send, status, body, cut=self.cuts)

    async def _say(self, send: Send, status: int, body: bytes, *, cut: bool) -> None:
        headers = [(b"content-length", str(len(body) + cut).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": cut})


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<html>", b"[" * 10_000, b'{"case_id": "x"}', b" " * 5_000_000],
    ids=lambda body: str(len(body)),
)
@pytest.mark.parametrize("status", [200, 404, 500])
async def test_who_does_not_speak_as_a_desk(site: DeskSite, tmp_path: Path, body: bytes, status: int) -> None:
    """An answer of any other form, or of any size, is a sentence."""
    async with served(Scripted(site, (status, body)), tmp_path / "relay") as address, line(site, address) as desk:
        with pytest.raises(ConnectionLost):
            await desk.status(uuid4())


async def test_half_a_package_is_no_package(site: DeskSite, tmp_path: Path) -> None:
    """A connection that breaks while a package comes leaves nothing behind."""
    app = Scripted(site, (200, b"half"))
    app.cuts = True
    (tmp_path / "out").mkdir()
    async with served(app, tmp_path / "relay") as address, line(site, address) as desk:
        with pytest.raises(ConnectionLost):
            await desk.fetch(uuid4(), "d1", tmp_path / "out" / "d1.package")
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_stream_is_taken_up_where_it_broke(site: DeskSite, tmp_path: Path) -> None:
    """Over several connections nothing comes twice: each call says behind which position to go on."""
    parts = [
        b":\n\n" + encoded(event(1)) + encoded(event(2)),
        encoded(event(3)) + encoded(end(3, EndReason.STOPPING)),
        b"",
        encoded(event(4)) + encoded(end(5, EndReason.ORDER_ENDED)),
    ]
    app = Scripted(site, *((200, part) for part in parts))
    async with served(app, tmp_path / "relay") as address, line(site, address) as desk:
        seen = [item async for item in desk.follow(uuid4(), "d1")]

    assert seen == [event(1), event(2), event(3), event(4), end(5, EndReason.ORDER_ENDED)]
    assert [asked["after"] for asked in app.asked] == [None, "2-0-0-0", "3-0-0-0", "3-0-0-0"]
    assert len({str(asked["jti"]) for asked in app.asked}) == 4


@pytest.mark.parametrize("size", [1, 7])
async def test_a_stream_may_be_cut_anywhere(site: DeskSite, tmp_path: Path, size: int) -> None:
    """However the network cuts the bytes, the events are the same."""
    whole = b":\n\n" + encoded(event(1)) + b":\n\n" + encoded(end(2, EndReason.ORDER_ENDED))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/relay":
            await Scripted(site)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for start in range(0, len(whole), size):
            await send({"type": "http.response.body", "body": whole[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with served(app, tmp_path / "relay") as address, line(site, address) as desk:
        seen = [item async for item in desk.stream(uuid4(), "d1")]

    assert seen == [event(1), end(2, EndReason.ORDER_ENDED)]


@pytest.mark.parametrize(
    "junk", [b"data: give up\n\n", b"id: 1\ndata: {}\n\n", b"data: " + b"a" * 100_000], ids=["text", "empty", "long"]
)
async def test_what_is_no_record_ends_the_stream(site: DeskSite, tmp_path: Path, junk: bytes) -> None:
    """Nothing of a foreign form is shown as a record."""
    async with served(Scripted(site, (200, junk)), tmp_path / "relay") as address, line(site, address) as desk:
        with pytest.raises(ConnectionLost):
            await anext(desk.stream(uuid4(), "d1"))


async def test_a_refused_stream_is_not_asked_for_again(site: DeskSite, address: DeskAddress) -> None:
    """What the desk refuses it refuses: following it ends with the problem."""
    async with line(site, address) as desk:
        with pytest.raises(DeskRefused):
            await anext(desk.follow(uuid4(), "d1"))


async def test_a_reader_who_leaves_ends_the_desks_side(site: DeskSite, tmp_path: Path) -> None:
    """When nobody reads any more, the desk's own iterator is closed, though nothing happens in the order."""
    closed = asyncio.Event()

    async def silent() -> AsyncIterator[StreamEvent]:
        try:
            yield event(1)
            await asyncio.Event().wait()
        finally:
            closed.set()

    site.desk.stream = lambda *_: silent()  # type: ignore[method-assign]
    async with served(site.app, tmp_path / "relay") as address, line(site, address) as desk:
        events = desk.stream(uuid4(), "d1")
        assert await anext(events) == event(1)
        await events.aclose()
        await closed.wait()
