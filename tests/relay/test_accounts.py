"""Who is known: what a restart finds again, what a revocation takes, and what a full disk must not leave behind."""

import contextlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy

from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.rpc import MAX_DEVICES_PER_USER
from blindrelay.protocol.statements import DeviceStatement, Revocation, RevocationReason
from blindrelay.relay.accounts import Accounts, Device, TooManyDevices, checked_tenant, reserve_numbers
from blindrelay.relay.errors import StoreFull
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Registrar, SealedSender
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from blindrelay.relay.store.entries import Committed, Outcome
from support.site import connected
from support.tenants import Badge, Tenant
from support.wire import Client


class SetClock:
    """A clock that shows what it is set to."""

    def __init__(self) -> None:
        self.date = 1_800_000_000.0

    def now(self) -> float:
        return self.date

    def monotonic(self) -> float:
        raise AssertionError("accounts have no business with intervals")


@pytest.fixture
def clock() -> SetClock:
    """The date."""
    return SetClock()


@pytest.fixture
def accounts(clock: SetClock, tenant: Tenant) -> Accounts:
    """Accounts with one tenant."""
    accounts = Accounts(clock, Quota(), devices_per_tenant=40)
    accounts.numbers.add(range(1, 1_000))
    accounts.add_tenant(checked_tenant(tenant.name, tenant.root_der))
    return accounts


@pytest.fixture
def tenant(tmp_path: Path) -> Tenant:
    """A tenant."""
    return Tenant("acme.example", tmp_path)


@pytest.fixture
def database(tenant: Tenant) -> Iterator[sqlalchemy.Connection]:
    """The store's tables, in memory, with the tenant in them."""
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        connection.execute(tables.tenant.insert().values(name=tenant.name, root=tenant.root_der, registered_day=1))
        yield connection
    engine.dispose()


def fingerprint(badge: Badge) -> bytes:
    """SHA-256 of the certificate."""
    return sha256(badge.der).digest()


def welcome(accounts: Accounts, badge: Badge, database: sqlalchemy.Connection | None = None) -> Device:
    """The device has shown its certificate."""
    device, write = accounts.welcome(badge.device, badge.der, fingerprint(badge))
    if write is not None and database is not None:
        write(database)
    return device


def identity(badge: Badge, device: Device, expires_at: float = 2e9) -> DeviceIdentity:
    """What admission makes of it."""
    return DeviceIdentity(badge.device, device.account_id, badge.der, fingerprint(badge), expires_at)


def revocation(badge: Badge, reason: RevocationReason = RevocationReason.LOST) -> Revocation:
    """The tenant's word."""
    return Revocation(device=badge.device, certificate=fingerprint(badge), revoked_at=1, reason=reason)


def state(badge: Badge, sequence: int = 1, token: DeliveryToken | None = None) -> DeviceStatement:
    """A statement of the device."""
    return DeviceStatement.model_validate_json(badge.statement(sequence, token).body)


def test_a_device_can_be_written_to_once_it_has_been_here(accounts: Accounts, tenant: Tenant) -> None:
    """Its account number is its own, the second time as the first."""
    alice, bob = tenant.device("alice", "laptop"), tenant.device("bob", "phone")
    assert topics.to(alice.device) not in accounts.recipients
    first, second = welcome(accounts, alice), welcome(accounts, bob)
    assert first.account_id != second.account_id
    assert welcome(accounts, alice) is first
    assert accounts.recipients[topics.to(alice.device)] is accounts.mailbox(first.account_id)


def test_a_restart_finds_the_same(
    accounts: Accounts, clock: SetClock, tenant: Tenant, database: sqlalchemy.Connection
) -> None:
    """Tenants, devices, numbers, statements and revocations are what they were; numbers are not given twice."""
    alice, bob, carol = (tenant.device(name, "d") for name in ("alice", "bob", "carol"))
    numbers = [welcome(accounts, badge, database).account_id for badge in (alice, bob, carol)]
    token = DeliveryToken(b"\x42" * 32)
    statement = alice.statement(7, token)
    database.execute(
        tables.device.update()
        .where(tables.device.c.account_id == numbers[0])
        .values(statement=statement.body, statement_signature=statement.signature, statement_sequence=7)
    )
    for badge, reason in ((bob, RevocationReason.LOST), (carol, RevocationReason.SUPERSEDED)):
        signed = tenant.revocation(badge, reason)
        database.execute(
            tables.revocation.insert().values(
                fingerprint=fingerprint(badge), body=signed.body, signature=signed.signature
            )
        )
    database.execute(tables.device.delete().where(tables.device.c.account_id == numbers[2]))

    again = Accounts(clock, Quota(), devices_per_tenant=40)
    again.restore(Accounts.read(database))
    again.numbers.add(reserve_numbers(database))

    found = again.device(alice.device)
    assert found is not None
    assert (found.account_id, found.sequence) == (numbers[0], 7)
    assert again.verifiers(alice.device.owner) == [token.verifier]
    assert again.is_revoked(fingerprint(bob))
    assert again.recipients.keys() == {topics.to(alice.device)}
    assert welcome(again, tenant.device("dave", "d")).account_id == numbers[2] + 1


def test_revoking_takes_everything(accounts: Accounts, tenant: Tenant) -> None:
    """A revoked device does not stand, is not found, and may not be written to; its successor may."""
    alice = tenant.device("alice", "laptop")
    device = welcome(accounts, alice)
    accounts.published(device, fingerprint(alice), state(alice))
    assert accounts.stands(identity(alice, device))
    assert accounts.revoke(revocation(alice)) is device

    assert not accounts.stands(identity(alice, device))
    assert accounts.devices_of(alice.device.owner) == []
    assert accounts.verifiers(alice.device.owner) == []
    assert topics.to(alice.device) not in accounts.recipients

    successor = tenant.device("alice", "laptop")
    assert welcome(accounts, successor) is device
    assert topics.to(alice.device) in accounts.recipients
    assert not accounts.stands(identity(alice, device))
    assert accounts.stands(identity(successor, device))


def test_revoking_an_old_certificate_leaves_the_new_one(accounts: Accounts, tenant: Tenant) -> None:
    """What was stated with the new certificate stands, and nothing is purged."""
    old, new = tenant.device("alice", "laptop"), tenant.device("alice", "laptop")
    device = welcome(accounts, old)
    accounts.published(device, fingerprint(old), state(old))
    assert welcome(accounts, new) is device
    accounts.published(device, fingerprint(new), state(new, 2))
    assert accounts.revoke(revocation(old)) is None
    assert accounts.devices_of(new.device.owner) == [device]
    assert accounts.stands(identity(new, device))


def test_who_stands(accounts: Accounts, clock: SetClock, tenant: Tenant) -> None:
    """A certificate stands until it expires, a token until it is replaced, a stranger never."""
    alice = tenant.device("alice", "laptop")
    device = welcome(accounts, alice)
    accounts.published(device, fingerprint(alice), state(alice, 1, DeliveryToken(b"\x01" * 32)))
    mine = identity(alice, device, clock.date + 10)
    administrator = AdministratorIdentity(tenant.name, b"x", clock.date + 10)
    sealed = SealedSender(alice.device.owner, DeliveryToken(b"\x01" * 32).verifier)
    assert all(accounts.stands(who) for who in (mine, administrator, sealed, Registrar()))
    clock.date += 10
    accounts.published(device, fingerprint(alice), state(alice, 2, DeliveryToken(b"\x02" * 32)))
    assert not any(accounts.stands(who) for who in (mine, administrator, sealed, "somebody", None))


def test_devices_are_bounded(accounts: Accounts, tenant: Tenant) -> None:
    """A user has so many devices, a tenant so many; revoked ones count for the tenant alone, as their records stay."""
    badges = [tenant.device("alice", f"d{number}") for number in range(MAX_DEVICES_PER_USER)]
    for badge in badges:
        welcome(accounts, badge)
    with pytest.raises(TooManyDevices, match="of this user"):
        welcome(accounts, tenant.device("alice", "more"))
    accounts.revoke(revocation(badges[0]))
    welcome(accounts, tenant.device("alice", "more"))
    for number in range(40 - MAX_DEVICES_PER_USER - 1):
        welcome(accounts, tenant.device(f"user{number}", "d"))
    with pytest.raises(TooManyDevices, match="the tenant has 40"):
        welcome(accounts, tenant.device("bob", "d"))


def test_what_could_not_be_written_down_was_never_here(accounts: Accounts, tenant: Tenant) -> None:
    """A new device whose record was lost is forgotten, and comes again under a new number."""
    alice = tenant.device("alice", "laptop")
    device = welcome(accounts, alice)
    accounts.forget(device.account_id)
    accounts.forget(device.account_id)
    assert accounts.mailbox(device.account_id) is None
    assert topics.to(alice.device) not in accounts.recipients
    assert welcome(accounts, alice).account_id != device.account_id


async def test_a_full_disk_sends_a_new_device_away(relay: Relay, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """R8: a device that cannot be written down does not stay, and gets in when there is room again."""
    alice = acme.device("alice", "laptop")

    def full(_accepted: object, _removed: object, writes: Sequence[object]) -> Committed:
        return Committed(Outcome.STORE_FULL, [StoreFull("no room")] * len(writes))

    monkeypatch.setattr(relay.committer._store, "commit", full)
    async with Client(relay, alice) as client:
        with contextlib.suppress(EOFError):
            await client.connect()
        await client.wait_closed()
    assert relay.accounts.device(DeviceAddress("acme.example", "alice", "laptop")) is None
    monkeypatch.undo()
    async with connected(relay, alice) as client:
        await client.open_inbox()
