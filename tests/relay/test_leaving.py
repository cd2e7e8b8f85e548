"""A tenant leaves (`relay/leaving.py`): nobody acts for it any more, nothing of it is left, and its name is nobody's."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mqtt5
import pytest
import sqlalchemy
from mqtt5 import PubAckReasonCode

from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.vocabulary import DataClass
from blindrelay.protocol import rpc, topics
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.credentials import REGISTRAR, DeliveryToken
from blindrelay.protocol.rpc import ErrorCode
from blindrelay.protocol.sizes import MIN_ENVELOPE
from blindrelay.protocol.statements import Signed
from blindrelay.protocol.transparency import directory as entries
from blindrelay.relay import leaving
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.ports import PreservationOrder
from blindrelay.relay.desk.preservation import Preservations
from blindrelay.relay.ledger import DAY
from blindrelay.relay.retention import Purge
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from blindrelay.relay.store.engine import Store
from support import site
from support.disclosure import AUTHORISATION, at, decision
from support.ledgered import Calendar, Direct
from support.site import connected
from support.stored import entry, on_disk
from support.tenants import Badge, Tenant
from support.wire import Client, Refused

pytestmark = pytest.mark.both_engines

#: What names a tenant, an account or a root for good, and why is in `relay/leaving.py`. `mailbox` for a day.
STAYS = frozenset(
    {"departed", "directory_entry", "log_tile", "log_head", "change", "node", "mailbox", "service_change"}
)


async def outcome(client: Client, method: rpc.Method, request: rpc.Wire) -> ErrorCode | None:  # type: ignore[type-arg]
    """The code of a refusal, None when there was none."""
    try:
        await client.call(method, request)
    except Refused as refused:
        return refused.code
    return None


async def registration(relay: Relay, name: str, root: bytes) -> ErrorCode | None:
    """Register; the code of the refusal, None when it went well."""
    async with Client(relay) as registrar:
        await registrar.connect("", username=REGISTRAR, password=relay.registration_code.encode())
        return await outcome(registrar, rpc.REGISTER_TENANT, rpc.RegisterTenant(tenant=name, root=root))


async def leave(relay: Relay, tenant: Tenant, signed: Signed | None = None) -> ErrorCode | None:
    """The tenant's administrator says so."""
    async with connected(relay, tenant.administrator()) as administrator:
        request = rpc.LeaveRelay(leaving=signed or tenant.leaving(relay.log_key()))
        return await outcome(administrator, rpc.LEAVE_RELAY, request)


async def introduce(relay: Relay, badge: Badge) -> None:
    """The device says what its keys are."""
    async with connected(relay, badge) as client:
        await client.call(rpc.PUBLISH_STATEMENT, rpc.PublishStatement(statement=badge.statement()))
        keys = [badge.prekey(number) for number in (1, 2)]
        fallback = badge.prekey(3, "fallback")
        await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=keys, fallback=fallback))


async def counts(relay: Relay) -> dict[str, int]:
    """Rows of every table."""

    def count(connection: sqlalchemy.Connection) -> dict[str, int]:
        found = {}
        for table in tables.metadata.sorted_tables:
            query = sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
            found[table.name] = int(connection.execute(query).scalar_one())
        return found

    return await relay.committer.read(count)


async def test_nobody_else_makes_a_tenant_leave(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """Not another key, another tenant's administrator, a device, another relay's leaving, or what was signed for else."""
    alice, key = acme.device("alice", "laptop"), relay.log_key()
    wrong = [
        (acme.leaving(key, signer=globex), ErrorCode.VERIFICATION_FAILED),
        (globex.leaving(key), ErrorCode.VERIFICATION_FAILED),
        (acme.leaving(key, tenant=globex.name), ErrorCode.NOT_AUTHORISED),
        (acme.leaving(key, root=bytes(32)), ErrorCode.NOT_AUTHORISED),
        (acme.leaving("other.example+00000000+AAAA"), ErrorCode.NOT_AUTHORISED),
        (acme.revocation(alice), ErrorCode.VERIFICATION_FAILED),
        (
            Signed(body=acme.leaving(key).body, signature=acme.revocation(alice).signature),
            ErrorCode.VERIFICATION_FAILED,
        ),
    ]
    for signed, code in wrong:
        assert await leave(relay, acme, signed) is code
    request = rpc.LeaveRelay(leaving=acme.leaving(key))
    async with connected(relay, globex.administrator()) as theirs:
        assert await outcome(theirs, rpc.LEAVE_RELAY, request) is ErrorCode.VERIFICATION_FAILED
    async with connected(relay, alice) as device:
        assert (await device.publish(alice.device)).reason_code == 0
        with pytest.raises(AssertionError, match="may not call this method"):
            await device.call(rpc.LEAVE_RELAY, request)
    assert (await counts(relay))["departed"] == 0


async def test_everybody_of_it_is_out_at_once(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """Sessions end and nobody comes in again: devices, administrators, sealed senders to its people. Others go on."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    await introduce(relay, alice)
    token = DeliveryToken(bytes(32))
    async with (
        connected(relay, alice) as victim,
        connected(relay, bob) as bystander,
        Client(relay) as sealed,
        connected(relay, acme.administrator()) as other,
    ):
        opened = await sealed.connect("", username=str(alice.device.owner), password=token.value)
        assert opened.reason_code == 0
        assert await leave(relay, acme) is None
        for gone in (victim, sealed, other):
            await gone.wait_closed()
        assert (await bystander.publish(bob.device)).reason_code == 0
    for badge in (alice, acme.device("new", "phone"), acme.administrator()):
        async with Client(relay, badge) as client:
            answer = await client.connect()
            assert answer.reason_code != 0
            assert "has left this relay" in (answer.reason_str or "")
    async with Client(relay) as sealed:
        answer = await sealed.connect("", username=str(alice.device.owner), password=token.value)
        assert answer.reason_code != 0


async def test_senders_are_told(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """Whoever writes to one of its devices, or looks one up, hears that the enterprise has left. It is no oracle for users."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    await introduce(relay, alice)
    await leave(relay, acme)
    async with connected(relay, bob) as client:
        for device in (alice.device, replace(alice.device, user="nobody")):
            answer = await client.publish(device)
            assert answer.reason_code == PubAckReasonCode.NOT_AUTHORIZED
            assert "has left this relay" in (answer.reason_str or "")
            assert await outcome(client, rpc.LOOK_UP_USER, rpc.LookUpUser(user=device.owner)) is ErrorCode.LEFT
        assert await outcome(client, rpc.LOOK_UP_TENANT, rpc.LookUpTenant(tenant=acme.name)) is ErrorCode.LEFT
        claimed = await client.call(rpc.CLAIM_PREKEYS, rpc.ClaimPrekeys(devices=[alice.device]))
        assert claimed.prekeys == {}


async def test_its_name_is_given_to_nobody(relay: Relay, acme: Tenant) -> None:
    """Not under another root, not under the same one; and a repeated leaving, by whoever has seen it, gets nobody in."""
    await leave(relay, acme)
    assert await registration(relay, acme.name, acme.root_der) is ErrorCode.LEFT
    assert await registration(relay, acme.name, Tenant(acme.name, acme.folder).root_der) is ErrorCode.LEFT


async def test_nothing_of_it_is_left(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """Every table is as it was without it, but for those that stay, for a reason. What it had sent waits for others."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    await introduce(relay, bob)
    async with connected(relay, bob) as client:
        await client.publish(bob.device)  # his own, which stays
    before = await counts(relay)
    await introduce(relay, alice)
    async with connected(relay, alice, session_expiry_interval=3_600) as client:
        await client.publish(bob.device)
    async with connected(relay, bob, session_expiry_interval=3_600) as client:
        await client.publish(alice.device)
    gone = acme.device("eve", "phone")
    async with connected(relay, acme.administrator()) as administrator:  # of a device that never came
        await administrator.call(rpc.REVOKE_DEVICE, rpc.RevokeDevice(revocation=acme.revocation(gone)))

    assert await leave(relay, acme) is None

    after = await counts(relay)
    more = {"envelope": 1, "session": 1, "access": 1, "presence": after["presence"] - before["presence"], "tenant": -1}
    expected = {name: count + more.get(name, 0) for name, count in before.items()}
    assert {k: v for k, v in after.items() if k not in STAYS} == {k: v for k, v in expected.items() if k not in STAYS}
    assert after["departed"] == 1


async def test_it_is_in_the_log_at_its_own_word(relay: Relay, acme: Tenant) -> None:
    """Once, with the digest of what was signed; an operator's word is told from it."""
    signed = acme.leaving(relay.log_key())
    assert await leave(relay, acme, signed) is None
    await relay.tenants.put_out(acme.name)  # again: it is no news
    query = sqlalchemy.select(tables.directory_entry.c.body).order_by(tables.directory_entry.c.number)
    bodies = await relay.committer.read(lambda connection: list(connection.execute(query).scalars()))
    left = [entry for body in bodies if isinstance(entry := entries.parse(bytes(body)), entries.TenantLeft)]
    assert [(entry.tenant, entry.leaving) for entry in left] == [(acme.name, entries.signed_digest(signed))]


async def test_an_operator_puts_a_tenant_out(relay: Relay, acme: Tenant, tmp_path: Path) -> None:
    """Whose administration is gone. The log says that it was not the tenant's word; one that is unknown is refused."""
    await introduce(relay, acme.device("alice", "laptop"))
    await relay.tenants.put_out(acme.name)
    assert await registration(relay, acme.name, acme.root_der) is ErrorCode.LEFT
    query = sqlalchemy.select(tables.directory_entry.c.body).order_by(tables.directory_entry.c.number.desc()).limit(1)
    newest = await relay.committer.read(lambda connection: connection.execute(query).scalar_one())
    assert entries.parse(bytes(newest)) == entries.tenant_left(acme.name, fingerprint(acme.root), None)
    with pytest.raises(Exception, match="not registered"):
        await relay.tenants.put_out("nobody.example")


@pytest.mark.one_node
async def test_asking_again_finishes_what_was_interrupted(
    relay: Relay, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gets no answer asks again over the same connection, or retention goes on by itself."""
    await introduce(relay, acme.device("alice", "laptop"))

    async def fail(*_: object) -> None:
        raise RuntimeError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(leaving, "_clear_events", fail)
        assert await leave(relay, acme) is ErrorCode.UNAVAILABLE
    assert (await counts(relay))["device"] == 1
    assert await registration(relay, acme.name, acme.root_der) is ErrorCode.LEFT  # it is out all the same
    await relay.keep_house()
    left = await counts(relay)
    assert (left["device"], left["tenant"], left["prekey"], left["access"]) == (0, 0, 0, 0)


@pytest.mark.one_node
async def test_letters_in_flight_are_gone(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """Whatever was taken before the leaving is deleted with it, whatever comes in its midst is refused: none is left behind."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    async with connected(relay, alice), connected(relay, bob) as sender:
        for number in range(40):
            sender.send(_letter(alice.device, number))
        assert await leave(relay, acme) is None
        answers = [await sender.expect(mqtt5.PubAckPacket) for _ in range(40)]
        # "Not now" is for what was on its way to a mailbox that was closed before it: sent again, it has no recipient.
        no, not_now = int(PubAckReasonCode.NOT_AUTHORIZED), int(PubAckReasonCode.QUOTA_EXCEEDED)
        assert {int(answer.reason_code) for answer in answers} <= {0, no, not_now}
    left = await counts(relay)
    assert (left["envelope"], left["traffic"], left["recent_id"]) == (0, 0, 0)


async def test_it_holds_over_a_restart(tmp_path: Path) -> None:
    """The name is remembered, and the root is not trusted again."""
    acme = Tenant("acme.example", tmp_path)
    async with site.relay_in(tmp_path / "relay") as relay:
        await site.register(relay, acme)
        await introduce(relay, acme.device("alice", "laptop"))
        assert await leave(relay, acme) is None
    async with site.relay_in(tmp_path / "relay") as relay:
        assert await registration(relay, acme.name, acme.root_der) is ErrorCode.LEFT
        async with Client(relay, acme.device("alice", "laptop")) as client:
            with pytest.raises(EOFError):
                await client.connect()


async def test_its_bytes_are_gone(tmp_path: Path) -> None:
    """S9: from the database, its free pages and its write-ahead log."""
    acme, globex = Tenant("acme.example", tmp_path), Tenant("globex.example", tmp_path)
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    folder = tmp_path / "relay"
    async with site.relay_in(folder) as relay:
        for tenant in (acme, globex):
            await site.register(relay, tenant)
        await introduce(relay, alice)
        async with connected(relay, bob) as client:
            await client.publish(alice.device, correlation_data=b"letter-to-alice!")
        keys = await relay.committer.read(lambda connection: connection.execute(_SIGNATURES).scalars().all())
    found = on_disk(folder / "relay.db")
    async with site.relay_in(folder) as relay:
        # What is longer than a page is on several: of its pieces those that are found whole.
        needles = [[b"letter-to-alice!"], *map(_pieces, keys), _pieces(alice.der), _pieces(acme.root_der)]
        others = bob.der + globex.root_der
        needles = [[piece for piece in pieces if piece in found and piece not in others] for pieces in needles]
        assert all(needles)
        assert await leave(relay, acme) is None
        assert await relay.committer.run(lambda connection: None) is None
    found = on_disk(folder / "relay.db")
    assert [piece for pieces in needles for piece in pieces if piece in found] == []


_SIGNATURES = sqlalchemy.select(tables.prekey.c.signature)


def _pieces(data: bytes) -> list[bytes]:
    return [data[start : start + 16] for start in range(0, len(data) - 15, 16)]


class PowerCut(Exception):
    """The process is no more."""


class Kept:
    """A store with two tenants: a.example has Ann (1) and Bob (2), b.example Eve (3)."""

    def __init__(self, store: Store) -> None:
        self.clock = Calendar(NOW)
        self.direct = Direct(store)
        self.preservations = Preservations(self.direct, self.clock)
        self.retention = Purge(self.direct, self.clock, Retention())
        store.commit([], [], [_enrol])

    async def hold(self, user: str, days: float) -> None:
        target = Target(format=TargetFormat.USER, value=user)
        order = PreservationOrder(
            "0d8f4a1e-5b7f-4a3c-9b51-3d2a6c7e8f90", "d1", decision(target), AUTHORISATION, "police", "Police",
            classes=frozenset({DataClass.TRAFFIC, DataClass.ACCESS}), targets=(target,), window=None,
            until=at(NOW + days * DAY),
        )  # fmt: skip
        await self.preservations.hold(order)

    async def leave(self, name: str) -> None:
        before = self.direct.scrubbed
        await self.direct.run(lambda connection: leaving.note(connection, name, bytes(32), NOW, None))
        await leaving.clear(self.direct, name, NOW)
        assert self.direct.scrubbed == before + 1

    async def all(self, *columns: "sqlalchemy.Column[Any]") -> list[Any]:
        query = sqlalchemy.select(*columns).order_by(*columns)
        return await self.direct.read(lambda connection: [tuple(row) for row in connection.execute(query)])


NOW = 1_700_000_000


def _enrol(connection: sqlalchemy.Connection) -> None:
    for name in ("a.example", "b.example"):
        connection.execute(sqlalchemy.insert(tables.tenant).values(name=name, root=b"r", registered_day=1))
    for number, (tenant, user) in enumerate((("a", "ann"), ("a", "bob"), ("b", "eve")), 1):
        values = {"tenant": f"{tenant}.example", "user": user, "device": "phone", "registered_day": 2}
        connection.execute(
            sqlalchemy.insert(tables.device).values(account_id=number, certificate=bytes(700), statement=b"s", **values)
        )
        access = {"account_id": number, "opened_hour": NOW // 3_600 - 1, "address": "192.0.2.1"}
        connection.execute(sqlalchemy.insert(tables.access).values(**access))


async def test_an_order_keeps_exactly_its_targets(open_store: Callable[[], Store]) -> None:
    """Ann's records and who she is stay, without her keys, until the order ends; Bob's go with the tenant. Then all is gone."""
    kept = Kept(open_store())
    pairs = [(2, 1), (1, 3), (3, 2), (2, 3), (3, 3)]
    letters = [entry(n, mailbox=to, sender=by, accepted_at=NOW - 60) for n, (by, to) in enumerate(pairs, 1)]
    kept.direct.store.commit(letters, [])
    await kept.hold("ann@a.example", 10)

    await kept.leave("a.example")

    traffic = (tables.traffic.c.sender_id, tables.traffic.c.recipient_id)
    assert await kept.all(*traffic) == [(1, 3), (2, 1), (3, 3)]
    assert await kept.all(tables.access.c.account_id) == [(1,), (3,)]
    device = tables.device.c
    assert await kept.all(device.account_id, device.certificate, device.statement) == [
        (1, b"", None),
        (3, bytes(700), b"s"),
    ]
    assert await kept.all(tables.envelope.c.mailbox_id) == [(3,), (3,), (3,)]

    kept.clock.at = NOW + 9 * DAY
    await kept.retention.run()
    assert len(await kept.all(*traffic)) == 3
    kept.clock.at = NOW + 11 * DAY
    await kept.retention.run()
    assert await kept.all(*traffic) == [(3, 3)]
    assert await kept.all(tables.tenant.c.name) == [("b.example",)]
    assert await kept.all(device.account_id) == [(3,)]
    assert await kept.all(tables.mailbox.c.closed) in ([], [(0,)])


async def test_an_order_for_somebody_else_keeps_what_is_theirs(open_store: Callable[[], Store]) -> None:
    """Eve stays, and what an order keeps of her is also what Ann wrote her. Ann herself goes."""
    kept = Kept(open_store())
    letters = [entry(1, mailbox=3, sender=1, accepted_at=NOW - 60), entry(2, mailbox=1, sender=2, accepted_at=NOW - 60)]
    kept.direct.store.commit(letters, [])
    await kept.hold("eve@b.example", 10)
    await kept.leave("a.example")
    assert await kept.all(tables.traffic.c.sender_id, tables.traffic.c.recipient_id) == [(1, 3)]
    assert await kept.all(tables.device.c.account_id) == [(3,)]


@pytest.mark.parametrize("step", range(1, 14))
async def test_wherever_it_is_killed_the_next_run_ends_it(open_store: Callable[[], Store], step: int) -> None:
    """A power cut after each commit: what is left is cleared by the purge that runs at the next start."""
    kept = Kept(open_store())
    letters = [entry(1, mailbox=3, sender=1, accepted_at=NOW), entry(2, mailbox=1, sender=3, accepted_at=NOW)]
    kept.direct.store.commit(letters, [])
    commits = 0
    run = kept.direct.run

    async def dying(write: Callable[[sqlalchemy.Connection], Any]) -> Any:
        nonlocal commits
        commits += 1
        if commits > step:
            raise PowerCut
        return await run(write)

    kept.direct.run = dying  # type: ignore[method-assign,assignment]
    with contextlib.suppress(PowerCut):
        await kept.leave("a.example")
    kept.direct.run = run  # type: ignore[method-assign]
    await kept.retention.run()

    assert await kept.all(tables.tenant.c.name) == [("b.example",)]
    assert await kept.all(tables.traffic.c.id) == []
    assert await kept.all(tables.access.c.account_id) == [(3,)]
    assert await kept.all(tables.envelope.c.mailbox_id) == [(3,)]


def _letter(to: DeviceAddress, number: int) -> mqtt5.PublishPacket:
    payload, message_id = bytes(MIN_ENVELOPE), number.to_bytes(16, "big")
    options: dict[str, Any] = {
        "qos": mqtt5.QoS.AT_LEAST_ONCE,
        "packet_id": 1_000 + number,
        "correlation_data": message_id,
    }
    return mqtt5.PublishPacket(topics.to(to), payload, **options)
