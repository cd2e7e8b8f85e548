"""Connections that stay, on a running relay."""

import asyncio
import socket
from pathlib import Path

import pytest

from blindrelay.clients.connection import Backoff, Connection, Credentials
from blindrelay.clients.errors import AdmissionRefused, ClientError, Closed, RelayUnreachable, RequestRefused, TimedOut
from blindrelay.clients.link import Inbound
from blindrelay.clients.tls import anonymous_context
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.credentials import REGISTRAR
from blindrelay.protocol.rpc import COUNT_PREKEYS, LOOK_UP_TENANT, Empty, ErrorCode, LookUpTenant
from blindrelay.relay.server import Relay
from support import ports, site
from support.people import SOON
from support.tenants import Tenant

QUICK = Backoff(first=0.01, most=0.05)


class Watcher:
    """An observer that counts."""

    def __init__(self) -> None:
        self.ups = asyncio.Queue[bool]()
        self.downs = 0
        self.error: asyncio.Future[ClientError] = asyncio.get_running_loop().create_future()

    def up(self, resumed: bool) -> None:
        """Note it."""
        self.ups.put_nowait(resumed)

    def down(self) -> None:
        """Note it."""
        self.downs += 1

    def received(self, inbound: Inbound) -> None:
        """Nothing is expected."""
        raise AssertionError(inbound)

    def finished(self, error: ClientError) -> None:
        """Note it."""
        self.error.set_result(error)


def registrar(relay: Relay, code: str | None = None, port: int | None = None) -> Connection:
    """A connection with the relay's registration code, or another, to its port, or another."""
    password = (relay.registration_code if code is None else code).encode()
    credentials = Credentials(anonymous_context(relay.certificate.read_bytes()), username=REGISTRAR, password=password)
    return Connection("127.0.0.1", port or relay.port, credentials, clock=SystemClock(), backoff=QUICK, timeout=20.0)


async def test_a_request_is_answered(relay: Relay, acme: Tenant) -> None:
    """Ask and get the answer, parsed; a refusal is an error with its code."""
    connection = registrar(relay)
    await connection.start()
    try:
        entry = await connection.call(LOOK_UP_TENANT, LookUpTenant(tenant="acme.example"))
        assert entry.root == acme.root_der
        with pytest.raises(RequestRefused) as unknown:
            await connection.call(LOOK_UP_TENANT, LookUpTenant(tenant="nobody.example"))
        assert unknown.value.code == ErrorCode.UNKNOWN_TENANT
        with pytest.raises(RequestRefused, match="may not call"):
            await connection.call(COUNT_PREKEYS, Empty())
    finally:
        await connection.stop()


async def test_many_requests_at_once_are_told_apart(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """Answers find their requests by correlation data, however many are under way."""
    connection = registrar(relay)
    await connection.start()
    try:
        names = ["acme.example", "globex.example"] * 100
        answers = await asyncio.gather(*(connection.call(LOOK_UP_TENANT, LookUpTenant(tenant=name)) for name in names))
        assert [answer.tenant for answer in answers] == names
    finally:
        await connection.stop()


async def test_a_wrong_code_is_refused_at_once(relay: Relay) -> None:
    """The first connection fails with the relay's own words, and nothing is tried again."""
    connection = registrar(relay, "wrong")
    with pytest.raises(AdmissionRefused) as refused:
        await connection.start()
    assert refused.value.code == 0x86
    assert not connection.up
    await connection.stop()


async def test_another_relay_is_not_trusted(relay: Relay, tmp_path: Path) -> None:
    """Only the CA that we were given vouches for the relay."""
    async with site.relay_in(tmp_path / "other") as other:
        credentials = Credentials(anonymous_context(other.certificate.read_bytes()), username=REGISTRAR, password=b"x")
        connection = Connection("127.0.0.1", relay.port, credentials, clock=SystemClock())
        with pytest.raises(RelayUnreachable, match="not the relay"):
            await connection.start()
        await connection.stop()


async def test_it_comes_back_when_the_relay_does(tmp_path: Path, door: socket.socket) -> None:
    """A request that is asked while the relay is away is answered after it came back."""
    async with site.relay_in(tmp_path / "relay", door=door) as relay:
        connection, watcher = registrar(relay), Watcher()
        connection.observe(watcher)
        await connection.start()
        assert await watcher.ups.get() is False
        await relay.stop()
        asking = asyncio.create_task(connection.call(LOOK_UP_TENANT, LookUpTenant(tenant="x.example"), timeout=SOON))
        async with site.relay_in(tmp_path / "relay", door=door):
            await asyncio.wait_for(watcher.ups.get(), SOON)
            with pytest.raises(RequestRefused):
                await asking
            assert watcher.downs == 1
            await connection.stop()


async def test_a_request_ends_with_the_time_that_it_was_given(tmp_path: Path, door: socket.socket) -> None:
    """While the relay is away, a request waits no longer than it may; closing ends it at once."""
    async with site.relay_in(tmp_path / "relay", door=door) as relay:
        connection = registrar(relay)
        await connection.start()
    with pytest.raises(TimedOut, match=r"tenant.lookup in 0.05 s"):
        await connection.call(LOOK_UP_TENANT, LookUpTenant(tenant="x.example"), timeout=0.05)
    asking = asyncio.create_task(connection.call(LOOK_UP_TENANT, LookUpTenant(tenant="x.example"), timeout=SOON))
    await asyncio.sleep(0)
    await connection.stop()
    with pytest.raises(Closed):
        await asking


async def test_who_stops_does_not_wait_for_a_relay_that_is_silent(tmp_path: Path, door: socket.socket) -> None:
    """What answers takes the connection, and never says a word of TLS: no thread waits on, and so the program can end."""
    async with site.relay_in(tmp_path / "relay") as relay:
        credentials = Credentials(anonymous_context(relay.certificate.read_bytes()), username=REGISTRAR, password=b"x")
    door.listen()
    connection = Connection("127.0.0.1", ports.number(door), credentials, clock=SystemClock(), timeout=3_600)
    connection.begin()
    loop = asyncio.get_running_loop()
    silent, _ = await loop.run_in_executor(None, door.accept)
    with silent:
        await loop.run_in_executor(None, silent.recv, 1)  # the beginning of a handshake
        await connection.stop()
        await asyncio.wait_for(loop.shutdown_default_executor(), SOON)


async def test_begin_keeps_trying(tmp_path: Path, door: socket.socket) -> None:
    """`begin` does not mind that there is no relay yet."""
    async with site.relay_in(tmp_path / "relay") as relay:
        connection = registrar(relay, port=ports.number(door))
    connection.begin()
    async with site.relay_in(tmp_path / "relay", door=door):
        await asyncio.wait_for(connection.ready(), SOON)
        await connection.stop()


async def test_begin_ends_with_what_is_final(relay: Relay) -> None:
    """A refusal that will not change ends the attempts, and whoever waits is told."""
    connection, watcher = registrar(relay, "wrong"), Watcher()
    connection.observe(watcher)
    connection.begin()
    with pytest.raises(AdmissionRefused):
        await asyncio.wait_for(connection.ready(), SOON)
    assert isinstance(await watcher.error, AdmissionRefused)
    assert not connection.up
    await connection.stop()


def test_pauses_grow_and_differ() -> None:
    """Exponential up to a bound, and never the same for everybody."""
    lowest = Backoff(first=1.0, most=10.0, chance=lambda: 0.0)
    highest = Backoff(first=1.0, most=10.0, chance=lambda: 1.0)
    assert [lowest.delay(failures) for failures in (1, 2, 3, 4, 5, 1_000)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert [highest.delay(failures) for failures in (1, 2, 5, 1_000)] == [1.0, 2.0, 10.0, 10.0]


async def test_it_goes_on_where_the_relay_sends_it(tmp_path: Path) -> None:
    """A relay that stops names another server, with the same certificate: what was not known here is known there."""
    async with site.relay_in(tmp_path / "b") as other:
        pass
    for name in ("relay.key", "relay.crt", "registration-code"):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    async with site.relay_in(tmp_path / "b") as other:
        tenant = await site.register(other, Tenant("acme.example", tmp_path))
        async with site.relay_in(tmp_path / "a", elsewhere=[f"127.0.0.1:{other.port}"]) as relay:
            connection, watcher = registrar(relay), Watcher()
            connection.observe(watcher)
            await connection.start()
            await watcher.ups.get()
            with pytest.raises(RequestRefused):
                await connection.call(LOOK_UP_TENANT, LookUpTenant(tenant="acme.example"))
        assert await asyncio.wait_for(watcher.ups.get(), SOON) is False
        entry = await connection.call(LOOK_UP_TENANT, LookUpTenant(tenant="acme.example"))
        assert entry.root == tenant.root_der
        await connection.stop()


async def test_it_comes_home_when_there_is_nobody_elsewhere(tmp_path: Path, door: socket.socket) -> None:
    """A reference to nobody, or to somebody without the relay's certificate, costs one attempt each."""
    async with site.relay_in(tmp_path / "stranger") as stranger:
        places = [f"127.0.0.1:{stranger.port}", "127.0.0.1:1"]
        async with site.relay_in(tmp_path / "relay", door=door, elsewhere=places) as relay:
            connection, watcher = registrar(relay), Watcher()
            connection.observe(watcher)
            await connection.start()
            await watcher.ups.get()
        async with site.relay_in(tmp_path / "relay", door=door):
            await asyncio.wait_for(watcher.ups.get(), SOON)
            await connection.stop()
