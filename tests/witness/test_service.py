"""A witness over HTTP: each status of https://c2sp.org/tlog-witness, what anybody may read, and its bounds."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import pytest

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.policy import Witness as WitnessLine
from blindrelay.protocol.transparency.submission import MAX_SUBMISSION, Submission, decode_cosignatures
from blindrelay.witness import application, service
from blindrelay.witness.cosigning import Cosigner
from blindrelay.witness.errors import AddressInUse, FolderInUse, Unreadable
from blindrelay.witness.service import Witness
from support.party import HandClock
from support.witnessed import HONEST, ORIGIN, Operator, forked

ADD: Final = "/add-checkpoint"
CHECKPOINT: Final = f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint"


@pytest.fixture
async def witness(tmp_path: Path, clock: HandClock, operator: Operator) -> AsyncIterator[Witness]:
    """One that knows the operator's log, and has seen nothing of it."""
    async with Witness(tmp_path / "w", [operator.key.verifier], clock=clock) as witness:
        yield witness


@pytest.fixture
async def http(witness: Witness) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=witness.url, timeout=30) as client:
        yield client


async def test_a_cosignature_is_what_others_verify(
    witness: Witness, http: httpx.AsyncClient, operator: Operator, clock: HandClock
) -> None:
    """200: with it, a policy that asks for this witness believes the checkpoint."""
    answer = await http.post(ADD, content=operator.submission(0, 3))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    note = operator.note(3).with_signature(*decode_cosignatures(answer.content))
    trust = Trust.threshold(operator.key.verifier, (WitnessLine("w", witness.key, witness.url),), 1)
    assert trust.open(note.encode()).cosigned == (("w", int(clock.at)),)


async def test_the_same_checkpoint_is_cosigned_again(
    witness: Witness, http: httpx.AsyncClient, operator: Operator, clock: HandClock
) -> None:
    """200: a log whose answer was lost asks again, and one that stands still has its age confirmed."""
    await http.post(ADD, content=operator.submission(0, 3))
    clock.at += 60
    again = await http.post(ADD, content=operator.submission(3, 3))
    assert again.status_code == 200
    note = operator.note(3).with_signature(*decode_cosignatures(again.content))
    assert cosigned_at(note, witness.key) == clock.at


Body = Callable[[Operator], bytes]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(lambda o: b"", 400, id="nothing"),
        pytest.param(lambda o: b"old 3\n", 400, id="no checkpoint"),
        pytest.param(lambda o: o.submission(3, 8).replace(b"old 3", b"old 03"), 400, id="a leading zero"),
        pytest.param(lambda o: o.submission(3, 8).replace(b"=\n\n", b"!\n\n"), 400, id="not base64"),
        pytest.param(lambda o: Submission(9, (), o.note(8)).encode(), 400, id="a log that goes back"),
        pytest.param(lambda o: Submission(3, (b"\0" * 32,) * 64, o.note(8)).encode(), 400, id="64 hashes"),
        pytest.param(lambda o: b"\xff" * 500, 400, id="noise"),
        pytest.param(lambda o: o.submission(3, 8, HONEST, SigningKey.generate(ORIGIN)), 403, id="another key"),
        pytest.param(lambda o: Operator(SigningKey.generate("x.example/log")).submission(3, 8), 403, id="another name"),
        pytest.param(lambda o: o.submission(3, 8).replace(ORIGIN.encode(), b"x.example/log"), 404, id="unknown log"),
        pytest.param(lambda o: o.submission(0, 8), 409, id="an older size"),
        pytest.param(lambda o: o.submission(5, 8), 409, id="a newer size"),
        pytest.param(lambda o: o.submission(0, 2), 409, id="a rollback"),
        pytest.param(lambda o: o.submission(3, 3, forked(1)), 409, id="a split view"),
        pytest.param(lambda o: o.submission(3, 8, forked(1)), 422, id="a history that forks"),
        pytest.param(lambda o: Submission(3, (), o.note(8)).encode(), 422, id="no proof"),
        pytest.param(lambda o: b"x" * (MAX_SUBMISSION + 1), 413, id="too long"),
    ],
)
async def test_each_refusal_has_its_status(
    http: httpx.AsyncClient, operator: Operator, body: Body, status: int
) -> None:
    """To a witness that has seen three entries; no refusal has a signature in it or changes what the witness knows."""
    await http.post(ADD, content=operator.submission(0, 3))
    before = (await http.get(CHECKPOINT)).content
    answer = await http.post(ADD, content=body(operator))
    assert answer.status_code == status
    assert "—" not in answer.text
    if status == 409:
        assert (answer.headers["content-type"], answer.text) == ("text/x.tlog.size", "3\n")
    else:
        assert answer.text.strip()
    assert (await http.get(CHECKPOINT)).content == before
    assert (await http.post(ADD, content=operator.submission(3, 8))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", ADD, 405), ("POST", CHECKPOINT, 405), ("GET", "/nothing", 404), ("GET", f"/{'0' * 64}/checkpoint", 404),
     ("GET", "/..%2f..%2fwitness.key/checkpoint", 404), ("GET", CHECKPOINT.upper(), 404)],
)  # fmt: skip
async def test_there_is_nothing_else(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    """No other address, and no way out of the folder."""
    assert (await http.request(method, path)).status_code == status


async def test_anybody_may_read_the_last_checkpoint(
    witness: Witness, http: httpx.AsyncClient, operator: Operator
) -> None:
    """With both signatures; before the log has asked there is none. It must not be cached."""
    assert (await http.get(CHECKPOINT)).status_code == 404
    for old, new in ((0, 3), (3, 8)):
        await http.post(ADD, content=operator.submission(old, new))
        answer = await http.get(CHECKPOINT)
        note = Note.parse(answer.content)
        assert Checkpoint.parse(note.text) == Checkpoint(ORIGIN, new, HONEST.root(new))
        assert note.is_signed_by(operator.key.verifier)
        assert cosigned_at(note, witness.key) is not None
        assert answer.headers["cache-control"] == "no-store"


async def test_anybody_may_read_the_key(witness: Witness, http: httpx.AsyncClient) -> None:
    """The one that is pinned; and for people, what the witness watches."""
    assert (await http.get("/key")).text == f"{witness.key}\n"
    assert VerifierKey.parse(str(witness.key)).algorithm is Algorithm.COSIGNATURE
    index = (await http.get("/")).text
    assert ORIGIN in index
    assert CHECKPOINT in index


async def test_it_remembers_across_restarts(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """Key, logs and sizes; nobody has to name the log again."""
    first = Witness(tmp_path, [operator.key.verifier], name="w.example", clock=clock)
    async with first, httpx.AsyncClient(base_url=first.url) as http:
        assert (await http.post(ADD, content=operator.submission(0, 3))).status_code == 200
    async with Witness(tmp_path, clock=clock) as second:
        assert second.key == first.key
        assert second.key.name == "w.example"
        async with httpx.AsyncClient(base_url=second.url) as http:
            answer = await http.post(ADD, content=operator.submission(0, 4, forked(2)))
            assert (answer.status_code, answer.text) == (409, "3\n")


async def test_of_many_forks_at_once_one_is_cosigned(http: httpx.AsyncClient, operator: Operator) -> None:
    """However they arrive, all but one are told how far the witness has come by then."""
    await http.post(ADD, content=operator.submission(0, 3))
    bodies = [operator.submission(3, 4 + at % 3, forked(3 + at % 2)) for at in range(24)]
    answers = await asyncio.gather(*(http.post(ADD, content=body) for body in bodies))
    granted = [body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 200]
    assert len(granted) == 1
    size = Checkpoint.parse(Submission.parse(granted[0]).note.text).size
    assert {answer.text for answer in answers if answer.status_code == 409} == {f"{size}\n"}
    assert {answer.status_code for answer in answers} == {200, 409}


async def test_a_damaged_memory_is_an_error_and_no_beginning(
    witness: Witness, http: httpx.AsyncClient, operator: Operator, tmp_path: Path, clock: HandClock
) -> None:
    """500 while it runs, without a word of what is on the disk; and it does not start again."""
    await http.post(ADD, content=operator.submission(0, 3))
    (file,) = (tmp_path / "w").glob("logs/*/checkpoint")
    file.write_bytes(file.read_bytes()[:40])
    for answer in (
        await http.post(ADD, content=operator.submission(3, 4)),
        await http.get(CHECKPOINT),
        await http.get("/"),
    ):
        assert answer.status_code == 500
        assert str(tmp_path) not in answer.text
        assert "nothing was signed" in answer.text
    await witness.stop()
    with pytest.raises(Unreadable, match="checkpoint"):
        await Witness(tmp_path / "w", clock=clock).start()


async def test_the_report_tells_what_became_of_each(tmp_path: Path, clock: HandClock, operator: Operator) -> None:
    """Logs and sizes, which are public; of who has asked, nothing."""
    told: list[tuple[str, dict[str, object]]] = []
    witness = Witness(tmp_path, [operator.key.verifier], clock=clock, report=lambda what, of: told.append((what, of)))
    async with witness, httpx.AsyncClient(base_url=witness.url) as http:
        await http.post(ADD, content=operator.submission(0, 3))
        await http.post(ADD, content=operator.submission(3, 3, forked(0)))
        await http.post(ADD, content=b"")
    assert told[0] == ("cosigned", {"origin": ORIGIN, "size": 3, "root": HONEST.root(3).hex()})
    assert [what for what, _ in told] == ["cosigned", "SplitView", "Malformed"]
    assert "127.0.0.1" not in str(told)


async def test_what_is_under_way_is_finished(
    tmp_path: Path, clock: HandClock, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submission in the middle of a stop is answered; and nobody else gets the folder before it has been kept."""
    witness = Witness(tmp_path, [operator.key.verifier], clock=clock)
    loop, inside, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    submit = Cosigner.submit

    def slowly(cosigner: Cosigner, data: bytes) -> object:
        loop.call_soon_threadsafe(inside.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)
        return submit(cosigner, data)

    monkeypatch.setattr(Cosigner, "submit", slowly)
    await witness.start()
    async with httpx.AsyncClient(base_url=witness.url, timeout=30) as http:
        asking = asyncio.create_task(http.post(ADD, content=operator.submission(0, 3)))
        await inside.wait()
        stopping = asyncio.create_task(witness.stop())
        with pytest.raises(FolderInUse):
            await Witness(tmp_path, clock=clock).start()
        go_on.set()
        assert (await asking).status_code == 200
        await stopping
    async with Witness(tmp_path, clock=clock) as again:
        assert again.folder.last(again.folder.log(ORIGIN)).head.size == 3


async def test_a_second_witness_does_not_get_the_folder(witness: Witness, tmp_path: Path, clock: HandClock) -> None:
    """Two with one key would each cosign a history of its own."""
    assert witness.port
    with pytest.raises(FolderInUse, match="stop it first"):
        await Witness(tmp_path / "w", clock=clock).start()


async def test_a_port_that_is_taken_is_named(witness: Witness, tmp_path: Path, clock: HandClock) -> None:
    """And the folder is given back."""
    other = Witness(tmp_path / "other", clock=clock, port=witness.port)
    with pytest.raises(AddressInUse, match=str(witness.port)):
        await other.start()
    async with Witness(tmp_path / "other", clock=clock):
        pass


async def test_a_witness_keeps_its_name(tmp_path: Path, clock: HandClock) -> None:
    """It is part of the key's id: another name is another witness."""
    async with Witness(tmp_path, name="w.example", clock=clock):
        pass
    with pytest.raises(Unreadable, match=r"is w\.example, and not v\.example"):
        await Witness(tmp_path, name="v.example", clock=clock).start()
    with pytest.raises(Malformed):
        await Witness(tmp_path / "new", name="a name with spaces", clock=clock).start()


async def test_stopping_twice_and_before_the_start_does_nothing(tmp_path: Path) -> None:
    """For whoever cleans up without knowing how far it came."""
    witness = Witness(tmp_path)
    await witness.stop()
    await witness.start()
    await witness.stop()
    await witness.stop()


async def test_https_with_a_certificate_of_ones_own(
    tmp_path: Path, clock: HandClock, certificate: tuple[Path, Path]
) -> None:
    """TLS 1.3."""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    async with Witness(tmp_path / "w", clock=clock, tls=certificate) as witness:
        assert witness.url == f"https://127.0.0.1:{witness.port}"
        async with httpx.AsyncClient(base_url=witness.url, verify=context) as http:
            assert (await http.get("/key")).text == f"{witness.key}\n"
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", witness.port, ssl=context)
    with pytest.raises(Unreadable, match="certificate"):
        await Witness(tmp_path / "w", clock=clock, tls=(certificate[1], certificate[0])).start()


@contextlib.asynccontextmanager
async def connected(witness: Witness) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("begun", [b"", b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nx-slow: "])
async def test_a_head_that_does_not_come_is_not_waited_for(
    witness: Witness, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """Whoever opens connections and says nothing, or hardly anything, loses them."""
    monkeypatch.setattr(service, "HEAD_SECONDS", 0.01)
    async with connected(witness) as (reader, writer):
        writer.write(begun)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


async def test_a_body_that_does_not_come_is_not_waited_for(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """408: a submission of some kilobytes does not take minutes."""
    monkeypatch.setattr(application, "BODY_SECONDS", 0.01)
    async with connected(witness) as (reader, writer):
        writer.write(b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 500\r\n\r\nold 3\n")
        assert b" 408 " in await reader.readline()


async def test_a_head_that_is_too_long_is_refused(witness: Witness) -> None:
    """400, or the end of the connection."""
    async with connected(witness) as (reader, writer):
        writer.write(b"GET /key HTTP/1.1\r\nx: " + b"a" * 20_000)
        with contextlib.suppress(ConnectionError):
            assert b" 400 " in await reader.readline()


async def test_connections_are_bounded(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than so many are closed at once; those that are open go on, and when they end others may come."""
    monkeypatch.setattr(service, "MAX_CONNECTIONS", 2)
    request = b"GET /key HTTP/1.1\r\nhost: w\r\n\r\n"
    async with connected(witness) as one, connected(witness) as other:
        for reader, writer in (one, other):
            writer.write(request)
            assert b" 200 " in await reader.readline()
        async with connected(witness) as (reader, writer):
            writer.write(request)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
    answer = b""
    while not answer:  # until the witness has noticed that they are gone
        with contextlib.suppress(ConnectionError):
            async with connected(witness) as (reader, writer):
                writer.write(request)
                answer = await reader.readline()
    assert b" 200 " in answer


async def test_loopback_is_the_default(witness: Witness) -> None:
    """Nobody else's machine reaches it unless it was said so."""
    with socket.create_connection(("127.0.0.1", witness.port)) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", witness.port), timeout=5):  # noqa: PT011
        pass
