"""A relay moves to PostgreSQL, and goes on: the same devices, what waits for them, the same numbers and the same log."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import mqtt5
import psycopg
import pytest
import sqlalchemy

from blindrelay.protocol import rpc
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note
from blindrelay.relay import backup as backups
from blindrelay.relay import copying
from blindrelay.relay.cluster import identity
from blindrelay.relay.copying.beside import make_identity
from blindrelay.relay.datadir import MOVED
from blindrelay.relay.errors import BadConfiguration, Unreadable
from blindrelay.relay.ledger import Window
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from blindrelay.relay.store.postgres.address import Address
from support import site
from support.cluster import Cluster
from support.site import connected
from support.tenants import Badge, Tenant
from support.wire import Client

pytestmark = pytest.mark.needs("initdb")

SOON = 20.0
# The connection of a process that copies.
_ITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'blindrelay'"


class Earlier(SystemClock):
    """Some seconds ago: what is accepted in the very second in which a relay stops counts as sent by it, to be safe."""

    def now(self) -> float:
        """Epoch seconds."""
        return super().now() - 5


@dataclass
class Stage:
    """What was there before: of eight messages to bob he has acknowledged three, and been sent more."""

    data: Path
    tenant: Tenant
    alice: Badge
    bob: Badge
    carol: Badge
    sent: list[bytes]
    checkpoint: Checkpoint
    traffic: int

    @property
    def left(self) -> list[bytes]:
        """What bob has not acknowledged."""
        return self.sent[3:]


@pytest.fixture
async def before(tmp_path: Path) -> Stage:
    """A relay on SQLite that has run and stopped."""
    data = tmp_path / "relay"
    async with site.relay_in(data, clock=Earlier()) as relay:
        acme = await site.register(relay, Tenant("acme.example", tmp_path))
        alice, bob, carol = (acme.device(name, "d") for name in ("alice", "bob", "carol"))
        sent = [os.urandom(16) for _ in range(8)]
        async with (
            connected(relay, carol),
            connected(relay, alice) as sender,
            connected(relay, bob, session_expiry_interval=600) as reader,
        ):
            await reader.open_inbox()
            for number in sent:
                assert (await sender.publish(bob.device, number * 64, correlation_data=number)).reason_code == 0
            assert [(await reader.receive()).correlation_data for _ in range(3)] == sent[:3]
            await reader.catch_up()
        async with connected(relay, acme.administrator()) as administrator:
            await administrator.call(rpc.REVOKE_DEVICE, rpc.RevokeDevice(revocation=acme.revocation(carol)))
        traffic = await relay.committer.read(_count)
        await relay.directory_log.log.publish()
        return Stage(data, acme, alice, bob, carol, sent, relay.directory_log.log.published.checkpoint, traffic)


def _count(connection: sqlalchemy.Connection) -> int:
    return int(connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.traffic)).scalar_one())


@pytest.fixture(params=["one", "nodes"])
async def after(
    request: pytest.FixtureRequest, tmp_path: Path, before: Stage, new_database: str
) -> AsyncIterator[tuple[Relay, Relay]]:
    """The same relay on PostgreSQL: alone on its data directory, or as two nodes. Where senders are, and where readers."""
    await asyncio.to_thread(copying.copy, before.data, Address.parse(new_database), SystemClock())
    if request.param == "one":
        async with site.relay_in(before.data, store=new_database) as relay:
            yield relay, relay
        return
    make_identity(before.data, tmp_path / "identity", SystemClock())
    nodes = Cluster(tmp_path, new_database)
    try:
        await nodes.start("n1", "n2")
        yield nodes["n1"], nodes["n2"]
    finally:
        await nodes.stop(*nodes.nodes)


async def test_everything_goes_on(before: Stage, after: tuple[Relay, Relay]) -> None:
    """Each message that waited comes, once and in order, marked as what may have come before; what is sent now comes last."""
    here, there = after
    async with Client(there, before.bob) as reader, connected(here, before.alice) as sender:
        assert (await reader.connect(clean_start=False, session_expiry_interval=600)).session_present
        received = [await reader.receive() for _ in before.left]
        assert [packet.correlation_data for packet in received] == before.left
        assert [packet.payload for packet in received] == [number * 64 for number in before.left]
        assert all(packet.duplicate for packet in received)

        # Who has no answer repeats: it is known, and does not come again.
        for number in before.sent:
            assert (await sender.publish(before.bob.device, number * 64, correlation_data=number)).reason_code == 0
        last = os.urandom(16)
        assert (await sender.publish(before.bob.device, correlation_data=last)).reason_code == 0
        packet = await reader.receive()
        assert (packet.correlation_data, packet.duplicate) == (last, False)
        await reader.catch_up()
        assert reader.inbox == []

        refused = await sender.publish(before.carol.device)
        assert refused.reason_code != 0, "her device is revoked, and her mailbox closed"
    async with Client(here, before.carol) as revoked:
        assert (await revoked.connect()).reason_code == mqtt5.ConnAckReasonCode.NOT_AUTHORIZED
    assert await here.committer.read(_count) == before.traffic + 1


async def test_a_new_device_gets_a_number_that_nobody_has_had(before: Stage, after: tuple[Relay, Relay]) -> None:
    """Records of whoever had it would be somebody else's."""
    here, there = after
    dave = before.tenant.device("dave", "d")
    async with connected(there, dave):
        pass
    known = [here.accounts.device(badge.device) for badge in (before.alice, before.bob, before.carol)]
    new = there.accounts.device(dave.device)
    assert new is not None
    assert all(device is not None and device.account_id < new.account_id for device in known)


async def test_records_are_whose_they_were(before: Stage, after: tuple[Relay, Relay]) -> None:
    """A lawful request finds what it would have found."""
    here, _ = after
    ledger, now = here.exchange.services.ledger, int(SystemClock().now())
    bob = here.accounts.device(before.bob.device)
    assert bob is not None
    records = await ledger.traffic([bob.account_id], Window(now - 3_600, now + 60))  # type: ignore[attr-defined]
    assert [record.message_id for record in records] == before.sent


async def test_the_log_goes_on_where_it_was(before: Stage, after: tuple[Relay, Relay]) -> None:
    """What the world has been shown is the beginning of what it is shown now, by the same key."""
    here, there = after
    for relay in (here, there):
        published = relay.directory_log.log.published
        assert published.checkpoint.origin == before.checkpoint.origin
        assert published.checkpoint == before.checkpoint or published.checkpoint.size > before.checkpoint.size
    await site.register(here, Tenant("globex.example", before.data.parent))
    log = here.directory_log.log
    async with asyncio.timeout(SOON):
        await log.wait_published(before.checkpoint.size)
    assert Checkpoint.parse(Note.parse(log.published.note).text).size > before.checkpoint.size
    await asyncio.to_thread(log.consistency, before.checkpoint.size, log.published)
    tree = log._tree(before.checkpoint.size)
    assert await asyncio.to_thread(tree.root) == before.checkpoint.root


async def test_no_relay_starts_on_what_is_older(before: Stage, new_database: str) -> None:
    """It would hand out prekeys again, and what has been read."""
    await asyncio.to_thread(copying.copy, before.data, Address.parse(new_database), SystemClock())
    with pytest.raises(BadConfiguration, match=r"has been moved to postgresql://.*: start the relay with --store and"):
        await site.relay_in(before.data).start()
    with pytest.raises(Unreadable, match=r"has been moved to postgresql://.*, and what is here is older: back that up"):
        backups.take(before.data, before.data.parent / "backup", SystemClock())
    (before.data / MOVED).unlink()
    async with site.relay_in(before.data):
        pass


async def test_the_identity_of_nodes_is_the_relays(before: Stage, tmp_path: Path) -> None:
    """By the same certificate clients know it, and logs are signed with the same keys."""
    make_identity(before.data, tmp_path / "identity", SystemClock())
    identity.check(tmp_path / "identity")
    for name in ("relay.key", "relay.crt", "registration-code", "log-keys/directory.key"):
        assert (tmp_path / "identity" / name).read_bytes() == (before.data / name).read_bytes()


class TestInterrupted:
    """A process is stopped in the middle of it."""

    @pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["killed", "ctrl-c"])
    async def test_leaves_the_target_empty_and_the_rest_to_be_done(
        self, old: Path, new_database: str, how: signal.Signals, code: int
    ) -> None:
        """With half of the tables written. The next one does all of it."""
        command = [sys.executable, "-m", "blindrelay", "store", "copy", "--data-dir", str(old), "--store", new_database]
        with psycopg.connect(new_database, autocommit=True) as watch, psycopg.connect(new_database) as holder:
            holder.execute("LOCK TABLE envelope IN SHARE MODE")  # it may be read, and not be written to
            process = await asyncio.to_thread(
                subprocess.Popen, command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            await _until(lambda: _one(watch, f"{_ITS} AND wait_event_type = 'Lock'") == 1)
            process.send_signal(how)
            if how is signal.SIGKILL:
                process.wait()
            holder.rollback()
            assert await asyncio.to_thread(process.wait) == code
            await _until(lambda: _one(watch, _ITS) == 0)
            assert [name for name in tables.metadata.tables if _one(watch, f"SELECT count(*) FROM {name}")] == []
        assert not (old / MOVED).exists()
        report = await asyncio.to_thread(copying.copy, old, Address.parse(new_database), SystemClock())
        assert report.rows > 0


def _one(connection: "psycopg.Connection[tuple[object, ...]]", query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not is_so():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.02)
