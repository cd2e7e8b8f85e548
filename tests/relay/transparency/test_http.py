"""The logs over HTTPS: everybody reads what has been published, for good, and nobody reads anything else."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import h11
import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.tiles import Tile
from support.merkle import LOG
from support.odd_witness import http as answer
from support.odd_witness import odd_witness, saying
from support.party import HandClock
from support.public_log import LogSite, log_site

#: At which sizes it was published.
SIZES: Final = (10, 300, 600)
SECRET: Final = b"nobody's business"
PREFIX: Final = "/logs/directory/"


@pytest.fixture
async def site(tmp_path: Path, clock: HandClock) -> AsyncIterator[LogSite]:
    """A log of 600 entries, published at 10, 300 and 600; with files beside and in its folder that are nobody's business."""
    async with log_site(tmp_path / "site", clock) as site:
        log = await site.show(LOG.entries[: SIZES[0]])
        for size in SIZES[1:]:
            await site.add(*LOG.entries[len(site.sources["shown"].all) : size])
        for place in (site.folder, log.shelf.folder, log.shelf.folder / "tile", log.shelf.folder / "tile" / "0"):
            for name in ("secret", ".checkpoint.new", "001.p.new"):
                (place / name).write_bytes(SECRET)
        yield site


def published(*sizes: int) -> dict[str, bytes]:
    """Everything that can be read of a log that was published at these sizes, by its path.

    That is each full tile and bundle, at any width, and the widths at which others were published.
    """
    found: dict[str, bytes] = {}
    for size in sizes:
        for level, step in ((0, 1), (1, 256)):
            for index in range((size // step) // 256 + 1):
                for width in _widths(size // step - 256 * index):
                    found[Tile(level, index, width).path] = LOG.tile(level, index, width)
                    if level == 0:
                        start = 256 * index
                        found[Bundle(index, width).path] = pack(LOG.entries[start : start + width])
    return found


def _widths(count: int) -> range:
    return range(1, 257) if count >= 256 else range(max(count, 1), count + 1)


PUBLISHED: Final = published(*SIZES)


@contextlib.asynccontextmanager
async def reader(site: LogSite) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who reads."""
    context = ssl.create_default_context(cadata=site.address.ca.decode())
    async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{site.address.port}", verify=context) as client:
        yield client


class Wire:
    """A connection on which any path may be asked for, as it is."""

    def __init__(self, site: LogSite) -> None:
        self._site = site
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, target: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if self._streams is None:
            context = ssl.create_default_context(cadata=self._site.address.ca.decode())
            self._streams = await asyncio.open_connection("127.0.0.1", self._site.address.port, ssl=context)
        stream, out = self._streams
        out.write(b"GET " + target + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")
        connection, status, body = h11.Connection(h11.CLIENT), 0, b""
        connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        connection.send(h11.EndOfMessage())
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.read(65_536))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        if connection.their_state is h11.MUST_CLOSE:
            self.close()
        return status, body

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


@pytest.fixture
async def wire(site: LogSite) -> AsyncIterator[Wire]:
    """A connection that is opened when it is needed."""
    wire = Wire(site)
    yield wire
    wire.close()


async def test_everything_that_was_ever_published_can_be_read(site: LogSite) -> None:
    """The full tiles and bundles, each beginning of them, and the others as they were when they were shown."""
    async with reader(site) as client:
        for path, data in PUBLISHED.items():
            if (partial := path.partition(".p/")[2]) and int(partial) % 37 not in {0, 7, 10}:
                continue  # there are a thousand
            found = await client.get(PREFIX + path)
            assert (found.status_code, found.content) == (200, data), path


async def test_what_never_changes_says_so(site: LogSite) -> None:
    """To caches: tiles and bundles for good, the checkpoint and the policy never."""
    log = site.shown["directory"]
    async with reader(site) as client:
        for path in (Tile(0, 0).path, Tile(0, 2, 88).path, Tile(1, 0, 2).path, Bundle(0).path, Bundle(2, 88).path):
            found = await client.get(PREFIX + path)
            assert found.headers["content-type"] == "application/octet-stream"
            assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        for path, content in (("checkpoint", log.published.note), ("policy", str(site.trust).encode())):
            found = await client.get(PREFIX + path)
            assert found.headers["content-type"] == "text/plain; charset=utf-8"
            assert found.headers["cache-control"] == "no-cache"
            assert found.content == content


async def test_a_head_is_an_answer_without_its_body(site: LogSite) -> None:
    """With the same headers, the length among them."""
    async with reader(site) as client:
        for path in ("checkpoint", "policy", Tile(0, 2, 88).path, Bundle(0).path, "tile/0/999"):
            whole, head = await client.get(PREFIX + path), await client.head(PREFIX + path)
            assert (head.status_code, head.content) == (whole.status_code, b"")
            assert dict(head.headers) == dict(whole.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_nothing_but_reading_is_possible(site: LogSite, method: str) -> None:
    """Whatever the body."""
    async with reader(site) as client:
        for path in ("checkpoint", "policy", Tile(0, 0).path, Bundle(0).path):
            found = await client.request(method, PREFIX + path, content=b"x" * 1_000)
            assert found.status_code == 405
        assert (await client.get(PREFIX + Tile(0, 0).path)).content == LOG.tile(0, 0, 256)


async def test_what_is_not_published_is_not_shown(tmp_path: Path, clock: HandClock) -> None:
    """Tiles that are there and wait for witnesses are nobody's yet; and what was published before stays readable meanwhile."""
    async with log_site(tmp_path / "site", clock) as site, odd_witness(clock) as witness, reader(site) as client:
        site.witnesses, site.quorum = (witness.line,), 1
        log = await site.show(LOG.entries[:200])
        witness.answer = saying(answer(500))
        site.sources["shown"].all += LOG.entries[200:600]
        assert not await log.publish()
        assert log.shelf.path(Tile(0, 0)).exists()
        assert not log.shelf.path(Tile(0, 0, 200)).exists()
        for piece in (Tile(0, 0), Tile(0, 0, 201), Tile(0, 1), Tile(1, 0, 2), Bundle(0), Bundle(0, 201), Bundle(2, 88)):
            assert log.shelf.fetch(piece), "it is there"
            assert (await client.get(PREFIX + piece.path)).status_code == 404
        for piece in (Tile(0, 0, 200), Bundle(0, 200)):
            assert (await client.get(PREFIX + piece.path)).content == published(200)[piece.path]


async def test_a_log_that_has_not_begun_has_nothing_to_show(tmp_path: Path, clock: HandClock) -> None:
    """And one of another name is none."""
    async with log_site(tmp_path / "site", clock) as site, odd_witness(clock) as witness, reader(site) as client:
        witness.answer = saying(answer(500))
        site.witnesses, site.quorum = (witness.line,), 1
        await site.show(LOG.entries[:5])
        for path in ("checkpoint", Tile(0, 0, 5).path, Bundle(0, 5).path):
            assert (await client.get(PREFIX + path)).status_code == 404
            assert (await client.get("/logs/another/" + path)).status_code == 404
        assert (await client.get("/logs/another/policy")).status_code == 404


NO_NAMES: Final = [
    "/logs/directory/tile/0/../../checkpoint",
    "/logs/directory/tile/0/../0/000",
    "/logs/directory/./tile/0/000",
    "/logs/directory//tile/0/000",
    "/logs/directory/tile//0/000",
    "/logs//directory/tile/0/000",
    "/logs/directory/tile/0/000/",
    "/logs/directory/tile/0/%30%30%30",
    "/logs/directory/tile%2f0%2f000",
    "/logs/directory/%74ile/0/000",
    "/logs/directory/tile/0/000.p%2f5",
    "/logs/directory/..%2fsecret",
    "/logs/directory/%2e%2e/secret",
    "/logs/%2e%2e/secret",
    "/logs/../secret",
    "/logs/directory/secret",
    "/logs/directory/tile/secret",
    "/logs/directory/tile/0/secret",
    "/logs/directory/.checkpoint.new",
    "/logs/directory/tile/0/.000.new",
    "/logs/directory/tile/0/001.p.new",
    "/logs/directory/tile/0/x000/001",
    "/logs/directory/tile/0/x001/000",
    "/logs/directory/tile/0/0",
    "/logs/directory/tile/0/0000",
    "/logs/directory/tile/0/000.p/0",
    "/logs/directory/tile/0/000.p/256",
    "/logs/directory/tile/0/000.p/05",
    "/logs/directory/tile/0/000.p/",
    "/logs/directory/tile/0/000.p",
    "/logs/directory/tile/0/003",
    "/logs/directory/tile/0/002.p/89",
    "/logs/directory/tile/1/000",
    "/logs/directory/tile/2/000.p/1",
    "/logs/directory/tile/64/000",
    "/logs/directory/tile/00/000",
    "/logs/directory/tile/-1/000",
    "/logs/directory/tile/0/x999/x999/x999/x999/x999/x999/999",
    "/logs/directory/tile/0/" + "x001/" * 500 + "000",
    "/logs/directory/tile/entries/002.p/89",
    "/logs/directory/checkpoint/",
    "/logs/directory/policy/",
    "/logs/directory/",
    "/logs/directory",
    "/logs/",
    "/logs",
    "/",
    "/checkpoint",
    "http://localhost/logs/directory/secret",
]


async def test_there_is_one_way_to_name_a_thing(wire: Wire) -> None:
    """And no way to name what is none: nothing is looked for on the disk, nothing is redirected."""
    for target in NO_NAMES:
        status, body = await wire.get(target.encode())
        assert status == 404, target
        assert SECRET not in body


SEGMENTS = st.sampled_from(
    [
        *(
            "logs",
            "directory",
            "tile",
            "entries",
            "0",
            "1",
            "64",
            "000",
            "001",
            "002.p",
            "000.p",
            "x001",
            "88",
            "256",
            "5",
        ),
        *(
            "checkpoint",
            "policy",
            "secret",
            "..",
            ".",
            "",
            "%2e%2e",
            "%2f",
            "%00",
            ".checkpoint.new",
            "~",
            "C:",
            "\u0660",
        ),
    ]
) | st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#"), max_size=6)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["/", PREFIX, PREFIX + "tile/", PREFIX + "tile/0/", "/logs/"]), st.lists(SEGMENTS, max_size=6))
@example(PREFIX, ["tile", "0", "002.p", "88"])
@example(PREFIX, ["tile", "entries", "001"])
async def test_nothing_outside_is_reached_by_any_path(wire: Wire, start: str, segments: list[str]) -> None:
    """What is answered is what was published under that very path, or nothing."""
    target = start + "/".join(segments)
    status, body = await wire.get(target.encode())
    if target in (PREFIX + "checkpoint", PREFIX + "policy"):
        assert status == 200
    elif target.startswith(PREFIX) and target.removeprefix(PREFIX) in PUBLISHED:
        assert (status, body) == (200, PUBLISHED[target.removeprefix(PREFIX)])
    else:
        assert status in {400, 404}
        assert SECRET not in body


async def test_many_read_at_once(site: LogSite) -> None:
    """Everybody gets the same, over many connections, while the log goes on."""
    paths = [Tile(0, 2, 88).path, Tile(0, 0).path, Tile(1, 0, 2).path, Bundle(1).path, Bundle(2, 88).path]

    async def read() -> None:
        async with reader(site) as client:
            for path in paths:
                found = await client.get(PREFIX + path)
                assert found.content == PUBLISHED[path]

    async with asyncio.TaskGroup() as group:
        for _ in range(24):
            group.create_task(read())
        for size in (700, 768, 1_000):
            await site.add(*LOG.entries[len(site.sources["shown"].all) : size])
