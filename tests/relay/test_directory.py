"""The directory over the wire: it keeps what verifies, hands out a one-time key once, and cannot be made to lie."""

import asyncio
from pathlib import Path

import pytest

from blindrelay.protocol import rpc
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import load, public_key
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.rpc import MAX_ONE_TIME_PREKEYS, ErrorCode
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose, Signed
from blindrelay.relay.server import Relay
from support import site
from support.site import connected
from support.tenants import Badge, Tenant
from support.wire import Client, Refused

pytestmark = pytest.mark.both_engines


async def publish(client: Client, statement: Signed) -> None:
    """Publish a statement."""
    await client.call(rpc.PUBLISH_STATEMENT, rpc.PublishStatement(statement=statement))


async def claim(client: Client, *devices: DeviceAddress) -> dict[str, Prekey]:
    """Claim prekeys; their signatures are not looked at."""
    found = await client.call(rpc.CLAIM_PREKEYS, rpc.ClaimPrekeys(devices=list(devices)))
    return {name: Prekey.model_validate_json(signed.body) for name, signed in found.prekeys.items()}


async def refusal(client: Client, method: rpc.Method, request: rpc.Wire | bytes) -> ErrorCode:  # type: ignore[type-arg]
    """The code that a request is refused with."""
    with pytest.raises(Refused) as caught:
        await client.call(method, request)
    return caught.value.code


async def test_a_published_statement_is_found_and_verifies(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """What is looked up is what was published, byte for byte, with the certificate and root to verify it with."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    statement = alice.statement()
    async with connected(relay, alice) as client, connected(relay, bob) as other:
        await publish(client, statement)
        found = await other.call(rpc.LOOK_UP_USER, rpc.LookUpUser(user=alice.device.owner))
        root = await other.call(rpc.LOOK_UP_TENANT, rpc.LookUpTenant(tenant="acme.example"))

    assert found.root == root.root == acme.root_der
    [entry] = found.devices
    assert (entry.device, entry.certificate, entry.statement) == (alice.device, alice.der, statement)
    key = public_key(load(entry.certificate))
    assert entry.statement.open_as(Purpose.STATEMENT, DeviceStatement, key).device == alice.device


async def test_who_is_not_there_is_not_found(relay: Relay, acme: Tenant) -> None:
    """Unknown users, users without statement and unknown tenants' users are one and the same to who asks."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with connected(relay, alice) as client, connected(relay, bob):
        for user in (bob.device.owner, UserAddress("acme.example", "nobody"), UserAddress("no.example", "bob")):
            assert await refusal(client, rpc.LOOK_UP_USER, rpc.LookUpUser(user=user)) is ErrorCode.UNKNOWN_USER
        unknown = rpc.LookUpTenant(tenant="no.example")
        assert await refusal(client, rpc.LOOK_UP_TENANT, unknown) is ErrorCode.UNKNOWN_TENANT


async def test_a_statement_s_sequence_rises(relay: Relay, acme: Tenant) -> None:
    """An older statement, or the same again, is a conflict and changes nothing."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        await publish(client, alice.statement(5))
        for sequence in (5, 4, 1):
            request = rpc.PublishStatement(statement=alice.statement(sequence))
            assert await refusal(client, rpc.PUBLISH_STATEMENT, request) is ErrorCode.CONFLICT
        await publish(client, alice.statement(6))


async def test_a_statement_s_sequence_survives_a_restart(tmp_path: Path) -> None:
    """A restart does not let an old statement in."""
    acme = Tenant("acme.example", tmp_path)
    alice = acme.device("alice", "laptop")
    async with site.relay_in(tmp_path / "relay") as relay:
        await site.register(relay, acme)
        async with connected(relay, alice) as client:
            await publish(client, alice.statement(5))
    async with site.relay_in(tmp_path / "relay") as relay, connected(relay, alice) as client:
        request = rpc.PublishStatement(statement=alice.statement(5))
        assert await refusal(client, rpc.PUBLISH_STATEMENT, request) is ErrorCode.CONFLICT
        found = await client.call(rpc.LOOK_UP_USER, rpc.LookUpUser(user=alice.device.owner))
        assert len(found.devices) == 1


async def test_nobody_states_for_another(relay: Relay, acme: Tenant) -> None:
    """A statement that another key has signed, or that names another device, is refused."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    forged = Badge(bob.certificate, alice.key, bob.certificate_file, bob.key_file, bob.address)
    async with connected(relay, alice) as client:
        for statement in (bob.statement(), forged.statement(), alice.statement(device=bob.device)):
            request = rpc.PublishStatement(statement=statement)
            assert await refusal(client, rpc.PUBLISH_STATEMENT, request) is ErrorCode.VERIFICATION_FAILED
        prekey = Signed.create(Purpose.PREKEY, Prekey(device=alice.device, kind="one-time", key=bytes(32)), alice.key)
        request = rpc.PublishStatement(statement=prekey)
        assert await refusal(client, rpc.PUBLISH_STATEMENT, request) is ErrorCode.VERIFICATION_FAILED


async def test_a_one_time_key_is_handed_out_once(relay: Relay, acme: Tenant) -> None:
    """Two who claim at the same time get two keys; when there are none left both get the fallback key."""
    alice, bob, carol = (acme.device(name, "d") for name in ("alice", "bob", "carol"))
    async with connected(relay, alice) as owner, connected(relay, bob) as one, connected(relay, carol) as two:
        await publish(owner, alice.statement())
        request = rpc.PublishPrekeys(
            one_time=[alice.prekey(number) for number in range(4)], fallback=alice.prekey(99, "fallback")
        )
        assert (await owner.call(rpc.PUBLISH_PREKEYS, request)).one_time == 4

        claimed = []
        for _ in range(3):
            pair = await asyncio.gather(claim(one, alice.device), claim(two, alice.device))
            claimed += [found[str(alice.device)] for found in pair]

        assert [prekey.kind for prekey in claimed] == ["one-time"] * 4 + ["fallback"] * 2
        assert len({prekey.key for prekey in claimed}) == 5
        assert (await owner.call(rpc.COUNT_PREKEYS, rpc.Empty())).one_time == 0


async def test_a_claimed_key_stays_claimed_after_a_restart(tmp_path: Path) -> None:
    """A key is gone from the store before anybody has it."""
    acme = Tenant("acme.example", tmp_path)
    alice = acme.device("alice", "laptop")
    async with site.relay_in(tmp_path / "relay") as relay:
        await site.register(relay, acme)
        async with connected(relay, alice) as client:
            await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=[alice.prekey(1), alice.prekey(2)]))
            first = await claim(client, alice.device)
    async with site.relay_in(tmp_path / "relay") as relay, connected(relay, alice) as client:
        second = await claim(client, alice.device)
        third = await claim(client, alice.device)

    assert first[str(alice.device)].key != second[str(alice.device)].key
    assert third == {}


async def test_publishing_again_does_not_double_a_key(relay: Relay, acme: Tenant) -> None:
    """A device that repeats a request, because its answer was lost, does not make a key go to two people."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        keys = [alice.prekey(number) for number in range(3)]
        for _ in range(2):
            await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=keys))
        again = [alice.prekey(number) for number in range(3)]  # other signatures over the same keys
        assert (await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=again))).one_time == 3


async def test_no_more_keys_are_kept_than_a_device_remembers(relay: Relay, acme: Tenant) -> None:
    """The newest push the oldest out, as they do in the device itself."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        for start in (0, 30):
            keys = [alice.prekey(number) for number in range(start, start + 30)]
            count = (await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=keys))).one_time
        assert count == MAX_ONE_TIME_PREKEYS
        assert int.from_bytes((await claim(client, alice.device))[str(alice.device)].key, "big") == 10


async def test_a_wrong_prekey_spoils_the_whole_request(relay: Relay, acme: Tenant) -> None:
    """Somebody else's signature, another device's name or the wrong kind: nothing of the request is kept."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with connected(relay, alice) as client:
        for wrong in (bob.prekey(2), alice.prekey(2, device=bob.device), alice.prekey(2, "fallback")):
            request = rpc.PublishPrekeys(one_time=[alice.prekey(1), wrong])
            assert await refusal(client, rpc.PUBLISH_PREKEYS, request) is ErrorCode.VERIFICATION_FAILED
        request = rpc.PublishPrekeys(fallback=alice.prekey(3))
        assert await refusal(client, rpc.PUBLISH_PREKEYS, request) is ErrorCode.VERIFICATION_FAILED
        assert (await client.call(rpc.COUNT_PREKEYS, rpc.Empty())).one_time == 0


async def test_claims_are_limited(tmp_path: Path) -> None:
    """Nobody drains everybody's one-time keys: a claimer has a rate of its own, and others are not held up by it."""
    limits = {"claim_rate": 0.001, "claim_burst": 3}
    async with site.relay_in(tmp_path / "relay", limits=limits) as relay:
        acme = await site.register(relay, Tenant("acme.example", tmp_path))
        alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
        async with connected(relay, alice) as greedy, connected(relay, bob) as modest:
            for _ in range(3):
                await claim(greedy, bob.device)
            request = rpc.ClaimPrekeys(devices=[bob.device])
            assert await refusal(greedy, rpc.CLAIM_PREKEYS, request) is ErrorCode.RATE_LIMITED
            await claim(modest, alice.device)


async def test_sealed_senders_see_their_recipient_alone(relay: Relay, acme: Tenant) -> None:
    """A token for alice looks up and claims for alice, and learns nothing of bob, not even that he exists."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    token = DeliveryToken(b"\x42" * 32)
    for badge in (alice, bob):
        async with connected(relay, badge) as client:
            await publish(client, badge.statement(1, token if badge is alice else None))
            await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=[badge.prekey(1)]))
    async with Client(relay) as sealed:
        await sealed.connect("", username="alice@acme.example", password=token.value)
        assert (await claim(sealed, alice.device, bob.device)).keys() == {str(alice.device)}
        request = rpc.LookUpUser(user=bob.device.owner)
        assert await refusal(sealed, rpc.LOOK_UP_USER, request) is ErrorCode.UNKNOWN_USER


async def test_a_renewed_certificate_needs_a_statement_first(relay: Relay, acme: Tenant) -> None:
    """Prekeys under a new key would verify with nothing, so the statement comes first; it drops those of the old key."""
    old, new = acme.device("alice", "laptop"), acme.device("alice", "laptop")
    async with connected(relay, old) as client:
        await publish(client, old.statement(1))
        await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=[old.prekey(1)]))
    async with connected(relay, new) as client:
        found = await client.call(rpc.LOOK_UP_USER, rpc.LookUpUser(user=old.device.owner))
        assert found.devices[0].certificate == old.der
        request = rpc.PublishPrekeys(one_time=[new.prekey(2)])
        assert await refusal(client, rpc.PUBLISH_PREKEYS, request) is ErrorCode.CONFLICT
        await publish(client, new.statement(2))
        assert (await client.call(rpc.PUBLISH_PREKEYS, request)).one_time == 1
        found = await client.call(rpc.LOOK_UP_USER, rpc.LookUpUser(user=old.device.owner))
        assert found.devices[0].certificate == new.der
