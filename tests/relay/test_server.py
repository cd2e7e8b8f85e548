"""A whole relay, from outside: what it carries, what survives its end, and how it ends."""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import mqtt5
import pytest
import sqlalchemy

from blindrelay.protocol import topics
from blindrelay.relay.errors import AddressInUse, ExitStatus, NewerVersion, StoreFailed
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from support import ports, site
from support.party import HandClock
from support.site import connected
from support.tenants import Tenant

pytestmark = pytest.mark.both_engines


async def test_a_message_reaches_the_recipient(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """What one tenant's device publishes arrives at another tenant's device, byte for byte, with its id and expiry."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    async with connected(relay, alice) as sender, connected(relay, bob) as recipient:
        await recipient.open_inbox()
        answer = await sender.publish(
            bob.device, b"\x07" * 1_024, correlation_data=b"i" * 16, message_expiry_interval=60
        )
        message = await recipient.receive()

    assert answer.reason_code == 0
    assert (message.topic, message.payload, message.correlation_data) == (
        topics.inbox(bob.device),
        b"\x07" * 1_024,
        b"i" * 16,
    )
    assert message.message_expiry_interval is not None
    assert message.message_expiry_interval <= 60


async def test_waiting_mail_survives_a_restart(tmp_path: Path) -> None:
    """Tenants, devices and mail are there again after a restart, and nobody has to be registered anew."""
    folder = tmp_path / "relay"
    acme = Tenant("acme.example", tmp_path)
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with site.relay_in(folder) as relay:
        await site.register(relay, acme)
        async with connected(relay, bob), connected(relay, alice) as sender:
            assert (await sender.publish(bob.device, b"\x01" * 1_024)).reason_code == 0
    async with site.relay_in(folder) as relay, connected(relay, bob) as recipient:
        await recipient.open_inbox()

        assert (await recipient.receive()).payload == b"\x01" * 1_024


async def test_keeping_house_follows_the_clock(tmp_path: Path) -> None:
    """When the clock has been moved, what has expired and what is past its retention window is gone at once."""
    clock, acme = HandClock(time.time()), Tenant("acme.example", tmp_path)
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    traffic, envelopes = (sqlalchemy.select(sqlalchemy.func.count(t.c.size)) for t in (tables.traffic, tables.envelope))

    async def kept(relay: Relay) -> tuple[int, int]:
        await relay.committer.run(lambda connection: None)
        return await relay.committer.read(
            lambda connection: tuple(connection.execute(query).scalar_one() for query in (traffic, envelopes))  # type: ignore[return-value]
        )

    async with site.relay_in(tmp_path / "relay", clock=clock) as relay:
        await site.register(relay, acme)
        async with connected(relay, bob), connected(relay, alice) as sender:
            await sender.publish(bob.device, b"\x01" * 1_024, message_expiry_interval=60)
        await relay.exchange.at_rest()
        found = [await kept(relay)]
        for seconds in (61, 31 * 86_400):
            clock.at += seconds
            await relay.keep_house()
            found.append(await kept(relay))

    assert found == [(1, 1), (1, 0), (0, 0)]


async def test_a_stop_says_goodbye(tmp_path: Path) -> None:
    """Clients of a relay that stops are told so (DISCONNECT 0x8B), and the port is free again."""
    acme = Tenant("acme.example", tmp_path)
    relay = site.relay_in(tmp_path / "relay")
    await relay.start()
    await site.register(relay, acme)
    async with connected(relay, acme.device("alice", "laptop")) as client:
        stopping = asyncio.create_task(relay.stop())

        goodbye = await client.expect(mqtt5.DisconnectPacket)
        assert goodbye.reason_code is mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN
        await client.wait_closed()
        await stopping
        assert not ports.listens(relay.port)


async def test_a_taken_port_is_a_sentence(relay: Relay, tmp_path: Path) -> None:
    """A port that somebody else has, or an address that is not ours, is named; nothing is left open or locked."""
    for host, port in (("127.0.0.1", relay.port), ("203.0.113.1", 0), ("no such host", 0)):
        with pytest.raises(AddressInUse, match="cannot be listened on") as caught:
            await site.relay_in(tmp_path / "other", host=host, port=port).start()
        assert caught.value.exit_status is ExitStatus.ADDRESS_IN_USE
    async with site.relay_in(tmp_path / "other"):
        pass


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """A relay does not open what a newer one has written."""
    async with site.relay_in(tmp_path / "relay") as relay:
        await relay.committer.run(lambda connection: connection.exec_driver_sql("PRAGMA user_version = 999") and None)
    with pytest.raises(NewerVersion):
        await site.relay_in(tmp_path / "relay").start()


@pytest.mark.one_node
async def test_a_failed_store_ends_the_relay(relay: Relay, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a commit fails nobody gets a PUBACK: senders are disconnected (0x83), and the relay says why it leaves."""
    alice = acme.device("alice", "laptop")

    def fail(*_: object) -> None:
        raise StoreFailed("fsync failed")

    async with connected(relay, alice) as client:
        monkeypatch.setattr(relay.committer._store, "commit", fail)
        with pytest.raises(AssertionError, match="IMPLEMENTATION_SPECIFIC_ERROR"):
            await client.publish(alice.device)
        with pytest.raises(StoreFailed, match="the relay leaves"):
            await relay.wait_failed()
        monkeypatch.undo()


# A process of its own.

_PROGRAM = """
import resource, sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("vodozemac", "aiomqtt", "paho") or name.startswith("blindrelay.clients"):
            raise ImportError(f"{name} is absent")

sys.meta_path.insert(0, Absent())
files = int(sys.argv[2])
if files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

from blindrelay.relay.config import Settings
from blindrelay.relay.process import run

def ready(relay):
    core = resource.getrlimit(resource.RLIMIT_CORE)
    print(relay.port, relay.registration_code, max(core) <= 1, flush=True)

run(Settings(data_dir=Path(sys.argv[1]), port=0), ready)
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"vodozemac", "aiomqtt", "paho"} and "blindrelay.clients" not in sys.modules
"""


@contextlib.asynccontextmanager
async def relay_process(
    folder: Path, files: int = 0
) -> AsyncIterator[tuple[SimpleNamespace, asyncio.subprocess.Process]]:
    """A relay in a process where no client package can be imported, and what a client has to know of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, str(folder), str(files), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port, code, without_core = (await process.stdout.readline()).decode().split()
        assert without_core == "True"
        found = SimpleNamespace(
            host="127.0.0.1", port=int(port), certificate=folder / "relay.crt", registration_code=code
        )
        yield found, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_relays_where_the_clients_are_absent(tmp_path: Path, number: signal.Signals) -> None:
    """Lock 1: a process that can import nothing that decrypts relays a message, and leaves cleanly when asked to."""
    acme = Tenant("acme.example", tmp_path)
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with relay_process(tmp_path / "relay") as (found, process):
        relay: Relay = found  # type: ignore[assignment]
        await site.register(relay, acme)
        async with connected(relay, alice) as sender, connected(relay, bob) as recipient:
            await recipient.open_inbox()
            assert (await sender.publish(bob.device, b"\x01" * 1_024)).reason_code == 0
            assert (await recipient.receive()).payload == b"\x01" * 1_024

            process.send_signal(number)
            goodbye = await sender.expect(mqtt5.DisconnectPacket)
            assert goodbye.reason_code is mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN
        assert await process.wait() == 0


async def test_running_out_of_files_hurts_nobody(tmp_path: Path) -> None:
    """M11: at the limit of open files new connections are turned away, those that are there go on, and then others come."""
    acme = Tenant("acme.example", tmp_path)
    alice = acme.device("alice", "laptop")
    async with relay_process(tmp_path / "relay", files=96) as (found, process):
        relay: Relay = found  # type: ignore[assignment]
        await site.register(relay, acme)
        async with connected(relay, alice) as client:
            with contextlib.ExitStack() as stack:
                for _ in range(200):
                    stack.enter_context(socket.create_connection((found.host, found.port)))
                assert (await client.publish(alice.device)).reason_code == 0
                await client.open_inbox()
                await client.receive()
        async with asyncio.timeout(5):
            while True:  # the relay sees the ends of the two hundred one by one
                with contextlib.suppress(OSError, EOFError):
                    async with connected(relay, alice):
                        break
        assert process.returncode is None
