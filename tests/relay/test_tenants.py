"""Tenants come in with a good root, once, and revoke their own devices alone."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.protocol import rpc
from blindrelay.protocol.credentials import REGISTRAR
from blindrelay.protocol.rpc import ErrorCode
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from blindrelay.relay.transparency.entries import count
from support import site
from support.site import connected
from support.tenants import HOUR, Tenant
from support.wire import Client, Refused

pytestmark = pytest.mark.both_engines


async def registration(relay: Relay, name: str, root: bytes) -> ErrorCode | None:
    """Register; the code of the refusal, None when it went well."""
    async with Client(relay) as registrar:
        await registrar.connect("", username=REGISTRAR, password=relay.registration_code.encode())
        return await outcome(registrar, rpc.REGISTER_TENANT, rpc.RegisterTenant(tenant=name, root=root))


async def outcome(client: Client, method: rpc.Method, request: rpc.Wire) -> ErrorCode | None:  # type: ignore[type-arg]
    """The code of a refusal, None when there was none."""
    try:
        await client.call(method, request)
    except Refused as refused:
        return refused.code
    return None


async def test_a_device_gets_in_as_soon_as_its_tenant_is_registered(relay: Relay, tmp_path: Path) -> None:
    """A root is admitted while the relay runs: the same certificate is refused before, and accepted after."""
    acme = Tenant("acme.example", tmp_path)
    alice = acme.device("alice", "laptop")
    async with Client(relay, alice) as client:
        with pytest.raises(EOFError):
            await client.connect()
    await site.register(relay, acme)
    async with connected(relay, alice):
        pass


async def test_registering_again_is_harmless(relay: Relay, acme: Tenant) -> None:
    """The same root again is no news; another root for the name is a conflict and changes nothing."""
    assert await registration(relay, acme.name, acme.root_der) is None
    other = Tenant(acme.name, acme.folder)
    assert await registration(relay, acme.name, other.root_der) is ErrorCode.CONFLICT
    async with connected(relay, acme.device("alice", "laptop")) as client:
        found = await client.call(rpc.LOOK_UP_TENANT, rpc.LookUpTenant(tenant=acme.name))
    assert found.root == acme.root_der
    assert await relay.committer.read(lambda connection: count(connection, tables.directory_entry)) == 1


async def test_a_bad_root_is_refused(relay: Relay, acme: Tenant, tmp_path: Path) -> None:
    """A root of another name, of another curve, that is no CA, or no certificate at all: refused, and nobody gets in on it."""
    name = "initech.example"
    leaf = acme.device("alice", "laptop").der
    assert await registration(relay, name, acme.root_der) is ErrorCode.VERIFICATION_FAILED
    assert await registration(relay, name, leaf) is ErrorCode.VERIFICATION_FAILED
    assert await registration(relay, name, _root(name, ca=False)) is ErrorCode.VERIFICATION_FAILED
    assert await registration(relay, name, _root(name, path_length=None)) is ErrorCode.VERIFICATION_FAILED
    assert await registration(relay, name, _root(name, curve=ec.SECP384R1())) is ErrorCode.VERIFICATION_FAILED
    assert await registration(relay, name, _root(name, end=-HOUR / 2)) is ErrorCode.VERIFICATION_FAILED
    assert await registration(relay, name, b"") is ErrorCode.MALFORMED
    assert await registration(relay, name, acme.root_der[:-1]) is ErrorCode.MALFORMED
    for wrong in ("", "acme", "*.example", "acme.example/x", "ACME.example", "#"):
        assert await registration(relay, wrong, _root(wrong or "x")) is ErrorCode.MALFORMED
    assert relay.accounts.tenant(name) is None


async def test_only_the_tenant_s_own_word_revokes(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """A revocation that another key has signed, or of another tenant's device, is refused, and nobody is thrown out."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    async with connected(relay, alice) as victim, connected(relay, acme.administrator()) as administrator:
        for signed, code in (
            (acme.revocation(alice, signer=globex), ErrorCode.VERIFICATION_FAILED),
            (acme.revocation(bob), ErrorCode.NOT_AUTHORISED),
            (alice.statement(), ErrorCode.VERIFICATION_FAILED),
        ):
            assert await outcome(administrator, rpc.REVOKE_DEVICE, rpc.RevokeDevice(revocation=signed)) is code
        assert (await victim.publish(alice.device)).reason_code == 0


async def test_revoking_again_is_harmless(relay: Relay, acme: Tenant) -> None:
    """A revocation whose answer was lost can be repeated."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, acme.administrator()) as administrator:
        for _ in range(2):
            request = rpc.RevokeDevice(revocation=acme.revocation(alice))
            assert await outcome(administrator, rpc.REVOKE_DEVICE, request) is None


async def test_a_revoked_device_is_no_longer_listed(relay: Relay, acme: Tenant) -> None:
    """Nobody finds it, nobody gets its prekeys, and its statement is not kept."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with connected(relay, alice) as client:
        await client.call(rpc.PUBLISH_STATEMENT, rpc.PublishStatement(statement=alice.statement()))
        await client.call(rpc.PUBLISH_PREKEYS, rpc.PublishPrekeys(one_time=[alice.prekey(1)]))
    async with connected(relay, acme.administrator()) as administrator:
        await administrator.call(rpc.REVOKE_DEVICE, rpc.RevokeDevice(revocation=acme.revocation(alice)))
    async with connected(relay, bob) as client:
        request = rpc.LookUpUser(user=alice.device.owner)
        assert await outcome(client, rpc.LOOK_UP_USER, request) is ErrorCode.UNKNOWN_USER
        claimed = await client.call(rpc.CLAIM_PREKEYS, rpc.ClaimPrekeys(devices=[alice.device]))
        assert claimed.prekeys == {}


async def test_a_damaged_tenant_record_keeps_everybody_out(tmp_path: Path) -> None:
    """S10: a relay whose records are damaged does not start, and says so; it does not start with the rest of them."""
    from blindrelay.relay.errors import Unreadable

    acme = Tenant("acme.example", tmp_path)
    async with site.relay_in(tmp_path / "relay") as relay:
        await site.register(relay, acme)
        damage = tables.tenant.update().values(root=acme.root_der[:-1])
        await relay.committer.run(lambda connection: connection.execute(damage) and None)
    with pytest.raises(Unreadable, match="damaged record"):
        await site.relay_in(tmp_path / "relay").start()


def _root(
    name: str,
    *,
    ca: bool = True,
    path_length: int | None = 0,
    curve: ec.EllipticCurve | None = None,
    end: float = HOUR,
) -> bytes:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return (
        Tenant._builder(subject, subject, key.public_key(), -HOUR, end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
