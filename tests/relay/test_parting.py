"""How the relay lets its clients go (`relay/parting.py`): what it took is answered, and nobody keeps it."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import mqtt5
import pytest
from mqtt5 import ConnAckReasonCode, DisconnectReasonCode

from blindrelay.protocol.sizes import MAX_ENVELOPE
from blindrelay.relay.errors import ExitStatus
from blindrelay.relay.server import Relay
from support import site
from support.tenants import Tenant
from support.twin import Bench, Pipe, message, settled

ELSEWHERE = "b.example:8883 c.example:8883"


def codes(pipe: Pipe) -> list[tuple[int, int]]:
    """Its PUBACKs so far: packet id and reason code."""
    return [(ack.packet_id, int(ack.reason_code)) for ack in pipe.packets if isinstance(ack, mqtt5.PubAckPacket)]


def goodbye(pipe: Pipe) -> mqtt5.DisconnectPacket:
    """The last thing that a client heard."""
    last = pipe.packets[-1]
    assert isinstance(last, mqtt5.DisconnectPacket)
    return last


async def sending(bench: Bench) -> Pipe:
    """A client whose second message is in a commit that is under way."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.committer.hold()
    alice.send(message(2))
    await settled()
    return alice


@pytest.mark.parametrize(
    ("elsewhere", "code"),
    [(ELSEWHERE, DisconnectReasonCode.USE_ANOTHER_SERVER), (None, DisconnectReasonCode.SERVER_SHUTTING_DOWN)],
)
async def test_clients_are_told_where_to_go_on(bench: Bench, elsewhere: str | None, code: DisconnectReasonCode) -> None:
    """MQTT 5, 4.11: 0x9C with a Server Reference, or 0x8B when there is none; PUBACKs come first."""
    alice = await sending(bench)
    stopping = asyncio.ensure_future(bench.exchange.stop(5.0, [elsewhere] if elsewhere else []))
    await settled()
    bench.committer.release()
    await stopping

    assert codes(alice) == [(1, 0), (2, 0)]
    assert (goodbye(alice).reason_code, goodbye(alice).server_reference) == (code, elsewhere)


async def test_who_is_being_admitted_is_sent_elsewhere(bench: Bench) -> None:
    """A CONNECT that waits for the store is answered with CONNACK 0x9C, and not by silence."""
    bench.committer.hold()
    alice = Pipe(bench.exchange)
    alice.send(mqtt5.ConnectPacket("c1", session_expiry_interval=60))
    await settled()
    stopping = asyncio.ensure_future(bench.exchange.stop(0.05, [ELSEWHERE]))
    await settled()
    await stopping
    bench.committer.release()

    answer = alice.packets[-1]
    assert isinstance(answer, mqtt5.ConnAckPacket)
    assert (answer.reason_code, answer.server_reference) == (ConnAckReasonCode.USE_ANOTHER_SERVER, ELSEWHERE)


async def test_a_disk_that_does_not_answer_does_not_keep_it(bench: Bench) -> None:
    """What is not settled in time gets no PUBACK, for nobody knows what becomes of it; the client is told to go."""
    alice = await sending(bench)
    async with asyncio.timeout(10):
        await bench.exchange.stop(0.05, ELSEWHERE)
    bench.committer.release()

    assert codes(alice) == [(1, 0)]
    assert goodbye(alice).reason_code is DisconnectReasonCode.USE_ANOTHER_SERVER


async def test_an_end_that_cannot_be_recorded_does_not_keep_it(bench: Bench) -> None:
    """Ends of connections are recorded in the commits that there still are; a start finds those that are not."""
    await bench.connect(1, session_expiry_interval=60)
    bench.committer.hold()
    async with asyncio.timeout(10):
        await bench.exchange.stop(0.05)
    bench.committer.release()


# A process of its own, told to leave in the middle of things.

_PROGRAM = """
import asyncio, sys, threading
from pathlib import Path
from blindrelay.relay.config import Desk, Settings
from blindrelay.relay.process import run
from blindrelay.relay.store.sqlite import SqliteStore

forever = threading.Event()
commit = SqliteStore.commit

def hang(self, accepted, removed, writes=()):
    if accepted:
        print("hangs", flush=True)
        forever.wait()
    return commit(self, accepted, removed, writes)

def ready(relay):
    print(relay.port, relay.registration_code, flush=True)
    if sys.argv[2] == "a thread":
        asyncio.get_running_loop().run_in_executor(None, forever.wait)

if sys.argv[2] == "a commit":
    SqliteStore.commit = hang
settings = Settings(data_dir=Path(sys.argv[1]), port=0, desk=Desk(enabled=False), drain_seconds=float(sys.argv[3]))
run(settings, ready)
"""


@contextlib.asynccontextmanager
async def leaving(
    folder: Path, *, hangs: str = "nothing", drain_seconds: float = 8.0
) -> AsyncIterator[tuple[Relay, asyncio.subprocess.Process]]:
    """A relay in a process, and what a client has to know of it."""
    command = (sys.executable, "-c", _PROGRAM, str(folder), hangs, str(drain_seconds))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        port, code = (await process.stdout.readline()).decode().split()
        found = SimpleNamespace(
            host="127.0.0.1", port=int(port), certificate=folder / "relay.crt", registration_code=code
        )
        yield found, process  # type: ignore[misc]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_client_that_never_reads_does_not_keep_it(tmp_path: Path) -> None:
    """It has more to be given than any buffer holds, goes on sending, and does not read a byte: the process ends as asked."""
    acme = Tenant("acme.example", tmp_path)
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with leaving(tmp_path / "relay") as (relay, process):
        await site.register(relay, acme)
        async with site.connected(relay, bob, receive_max=65_535) as deaf, site.connected(relay, alice) as sender:
            for _ in range(40):
                await sender.publish(bob.device, bytes(MAX_ENVELOPE))
            await deaf.open_inbox()
            deaf.stop_reading()
            for number in range(40):
                deaf.send(message(number + 1, topic=f"v1/to/{alice.device}", size=MAX_ENVELOPE))
            process.send_signal(signal.SIGTERM)

            goodbye = await sender.expect(mqtt5.DisconnectPacket)
            assert goodbye.reason_code is DisconnectReasonCode.SERVER_SHUTTING_DOWN
            async with asyncio.timeout(10):
                assert await process.wait() == ExitStatus.OK


async def test_a_commit_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    """A write that hangs in the kernel cannot be cancelled. Clients are told to go, its sender without a PUBACK."""
    acme = Tenant("acme.example", tmp_path)
    alice = acme.device("alice", "laptop")
    async with leaving(tmp_path / "relay", hangs="a commit", drain_seconds=1.0) as (relay, process):
        await site.register(relay, acme)
        async with site.connected(relay, alice) as client:
            client.send(message(1, topic=f"v1/to/{alice.device}"))
            assert process.stdout is not None
            assert await process.stdout.readline() == b"hangs\n"
            process.send_signal(signal.SIGTERM)
            goodbye = await client.expect(mqtt5.DisconnectPacket)
            assert goodbye.reason_code is DisconnectReasonCode.SERVER_SHUTTING_DOWN
            async with asyncio.timeout(10):
                await process.wait()


async def test_a_thread_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    """A file that never comes would be waited for at the end of the interpreter: the process ends without it, and says so."""
    async with leaving(tmp_path / "relay", hangs="a thread", drain_seconds=1.0) as (_, process):
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == ExitStatus.LATE
