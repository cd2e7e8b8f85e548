"""Who gets in, and who does not: every case on the wire, against a whole relay."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from mqtt5 import ConnAckReasonCode, DisconnectPacket, DisconnectReasonCode

from blindrelay.protocol import rpc
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.statements import RevocationReason
from blindrelay.relay.server import Relay
from support import site
from support.site import connected
from support.tenants import HOUR, Badge, Tenant
from support.wire import Client

TOKEN = DeliveryToken(b"\x42" * 32)


@dataclass
class Stage:
    """What a case may make its certificate from."""

    acme: Tenant
    globex: Tenant
    folder: Path


#: The certificate, and whether TLS itself refuses it (OpenSSL looks at chain and dates, not at our names).
CASES: dict[str, tuple[Callable[[Stage], Badge], bool]] = {
    "no name": (lambda s: s.acme.issue(), False),
    "two names": (lambda s: s.acme.issue("blindrelay:acme.example/eve/a", "blindrelay:acme.example/eve/b"), False),
    "device and administrator": (
        lambda s: s.acme.issue("blindrelay:acme.example/eve/a", "blindrelay:acme.example"),
        False,
    ),
    "a DNS name beside": (
        lambda s: s.acme.issue("blindrelay:acme.example/eve/a", names=[x509.DNSName("acme.example")]),
        False,
    ),
    "a DNS name alone": (lambda s: s.acme.issue(names=[x509.DNSName("acme.example")]), False),
    "another scheme": (lambda s: s.acme.issue("spiffe://acme.example/eve"), False),
    "another tenant's name": (lambda s: s.acme.issue("blindrelay:globex.example/bob/phone"), False),
    "another tenant's administrator": (lambda s: s.acme.issue("blindrelay:globex.example"), False),
    "an unregistered tenant's name": (lambda s: s.acme.issue("blindrelay:initech.example/bob/phone"), False),
    "an unregistered tenant": (lambda s: Tenant("initech.example", s.folder).device("bob", "phone"), True),
    "self-signed": (lambda s: s.acme.self_signed("blindrelay:acme.example/eve/a"), True),
    "signed with another tenant's key": (
        lambda s: s.acme.issue("blindrelay:acme.example/eve/a", signer=s.globex),
        True,
    ),
    "another CA of the same name": (lambda s: Tenant("acme.example", s.folder / "x").device("eve", "a"), True),
    "expired": (lambda s: s.acme.device("eve", "a", start=-2 * HOUR, end=-HOUR), True),
    "not yet valid": (lambda s: s.acme.device("eve", "a", start=HOUR, end=2 * HOUR), True),
    **{
        f"name {name!r}": (lambda s, name=name: s.acme.issue(f"blindrelay:{name}"), False)  # type: ignore[misc]
        for name in (
            "acme.example/+/phone",
            "acme.example/#",
            "acme.example/eve/#",
            "acme.example/eve/.*",
            "acme.example/eve/..",
            "acme.example/eve/*",
            "acme.example/eve/>",
            "acme.example/$SYS/a",
            "acme.example/eve",
            "acme.example/eve/a/b",
            "acme.example//a",
            "acme.example/eve/",
            "ACME.example/eve/a",
            "acme.example%2Feve/a/b",
            "+/eve/a",
            "",
        )
    },
}


@pytest.mark.parametrize("case", CASES)
async def test_a_wrong_certificate_is_refused(
    case: str, relay: Relay, acme: Tenant, globex: Tenant, tmp_path: Path
) -> None:
    """A certificate that the named tenant's root does not vouch for gets CONNACK 0x87, or no connection at all."""
    (tmp_path / "x").mkdir()
    make, refused_by_tls = CASES[case]
    badge = make(Stage(acme, globex, tmp_path))
    async with Client(relay, badge) as client:
        if refused_by_tls:
            with pytest.raises(EOFError):
                await client.connect("")
        else:
            assert (await client.connect("")).reason_code is ConnAckReasonCode.NOT_AUTHORIZED
            await client.wait_closed()
    assert not relay.exchange.peers


async def test_tls_1_2_is_refused(relay: Relay) -> None:
    """There is no version of TLS but 1.3."""
    context = ssl.create_default_context(cafile=str(relay.certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.open_connection(relay.host, relay.port, ssl=context, server_hostname="localhost")


async def test_no_session_ticket_is_given(relay: Relay, acme: Tenant) -> None:
    """Nothing ties a connection to an earlier one, and a revoked device resumes nothing."""
    async with connected(relay, acme.device("alice", "laptop")) as client:
        tls = client._writer.get_extra_info("ssl_object")
        assert tls.session is None or not tls.session.has_ticket


@pytest.mark.parametrize(
    ("username", "password"),
    [("alice@acme.example", None), (None, b"x"), ("", b""), ("registrar", b"x")],
)
async def test_a_certificate_with_a_password_is_refused(
    relay: Relay, acme: Tenant, username: str | None, password: bytes | None
) -> None:
    """Who shows a certificate is that, and cannot be somebody else at the same time."""
    async with Client(relay, acme.device("alice", "laptop")) as client:
        answer = await client.connect(username=username, password=password)
    assert answer.reason_code is ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD


@pytest.mark.parametrize(
    "username", ["registrar", "alice@acme.example", "nobody@acme.example", "a@b.example", "#", "+"]
)
async def test_an_absent_or_wrong_password_is_refused(relay: Relay, acme: Tenant, username: str) -> None:
    """S8: no password, an empty one and a wrong one are all the same, whoever it is for."""
    await _publish_token(relay, acme.device("alice", "laptop"))
    for password in (None, b"", b"x", bytes(32), b"\x41" * 32, b"\x42" * 31, b"\x42" * 33):
        async with Client(relay) as client:
            answer = await client.connect("", username=username, password=password)
            await client.wait_closed()
        assert answer.reason_code is ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD
        assert answer.reason_str == "user name or password is wrong"


async def test_nobody_at_all_is_refused(relay: Relay) -> None:
    """A client with neither certificate nor user name gets CONNACK 0x87."""
    for password in (None, b"", relay.registration_code.encode()):
        async with Client(relay) as client:
            answer = await client.connect("", password=password)
        assert answer.reason_code is ConnAckReasonCode.NOT_AUTHORIZED


async def test_the_token_admits_a_sealed_sender(relay: Relay, acme: Tenant) -> None:
    """Whoever has the delivery token comes in without a certificate, until the recipient replaces it."""
    badge = acme.device("alice", "laptop")
    await _publish_token(relay, badge)
    async with Client(relay) as sealed, connected(relay, badge) as alice:
        answer = await sealed.connect("", username="alice@acme.example", password=TOKEN.value)
        assert answer.reason_code == 0
        assert answer.assigned_client_id
        assert (await sealed.publish(badge.device)).reason_code == 0

        new = badge.statement(2, DeliveryToken(b"\x43" * 32))
        await alice.call(rpc.PUBLISH_STATEMENT, rpc.PublishStatement(statement=new))
        assert (await sealed.expect(DisconnectPacket)).reason_code is DisconnectReasonCode.NOT_AUTHORIZED
    async with Client(relay) as sealed:
        answer = await sealed.connect("", username="alice@acme.example", password=TOKEN.value)
        assert answer.reason_code is ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD


async def test_sealed_senders_can_be_turned_off(tmp_path: Path) -> None:
    """Where the configuration says `sealed = false`, even the right token is refused."""
    async with site.relay_in(tmp_path / "relay", sealed=False) as relay:
        acme = await site.register(relay, Tenant("acme.example", tmp_path))
        await _publish_token(relay, acme.device("alice", "laptop"))
        async with Client(relay) as client:
            answer = await client.connect("", username="alice@acme.example", password=TOKEN.value)
    assert answer.reason_code is ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD


@pytest.mark.parametrize("clean_start", [True, False])
async def test_another_s_client_id_is_refused(relay: Relay, acme: Tenant, globex: Tenant, clean_start: bool) -> None:
    """S1, S2: a device that connects under another's client id is refused (0x85), and the other is not disturbed."""
    alice, eve = acme.device("alice", "laptop"), globex.device("eve", "phone")
    async with connected(relay, alice, session_expiry_interval=100) as victim, Client(relay, eve) as attacker:
        await victim.open_inbox()
        answer = await attacker.connect(str(alice.device), clean_start=clean_start)
        assert answer.reason_code is ConnAckReasonCode.CLIENT_ID_NOT_VALID

        assert (await victim.publish(alice.device, b"\x05" * 1_024)).reason_code == 0
        assert (await victim.receive()).payload == b"\x05" * 1_024


async def test_a_revoked_device_is_thrown_out_and_stays_out(relay: Relay, acme: Tenant) -> None:
    """S4: revocation ends the session at once, purges the waiting mail, and refuses the certificate from then on."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with (
        connected(relay, alice) as alice_client,
        connected(relay, bob, session_expiry_interval=100) as bob_client,
    ):
        assert (await alice_client.publish(bob.device)).reason_code == 0
        await _revoke(relay, acme, bob)

        async with asyncio.timeout(1):
            assert (await bob_client.expect(DisconnectPacket)).reason_code is DisconnectReasonCode.NOT_AUTHORIZED
        assert (await alice_client.publish(bob.device)).reason_code == 0x87
    async with Client(relay, bob) as again:
        answer = await again.connect(clean_start=False)
        assert answer.reason_code is ConnAckReasonCode.NOT_AUTHORIZED
    async with Client(relay, acme.device("bob", "phone")) as successor:
        answer = await successor.connect(clean_start=False)
        assert (answer.reason_code, answer.session_present) == (0, False)
        await successor.open_inbox()
        assert (await successor.publish(bob.device, b"\x09" * 1_024)).reason_code == 0
        assert (await successor.receive()).payload == b"\x09" * 1_024


async def test_a_revocation_survives_a_restart(tmp_path: Path) -> None:
    """A relay that was restarted still refuses a revoked certificate, and does not deliver to it."""
    acme = Tenant("acme.example", tmp_path)
    bob = acme.device("bob", "phone")
    async with site.relay_in(tmp_path / "relay") as relay:
        await site.register(relay, acme)
        async with connected(relay, bob):
            await _revoke(relay, acme, bob)
    async with site.relay_in(tmp_path / "relay") as relay:
        async with Client(relay, bob) as client:
            assert (await client.connect()).reason_code is ConnAckReasonCode.NOT_AUTHORIZED
        async with connected(relay, acme.device("alice", "laptop")) as alice:
            assert (await alice.publish(bob.device)).reason_code == 0x87


async def test_a_certificate_may_be_revoked_before_it_is_seen(relay: Relay, acme: Tenant) -> None:
    """A device that never connected is refused when it first comes with a revoked certificate."""
    bob = acme.device("bob", "phone")
    await _revoke(relay, acme, bob)
    async with Client(relay, bob) as client:
        assert (await client.connect()).reason_code is ConnAckReasonCode.NOT_AUTHORIZED


async def test_mail_waits_for_the_successor_of_a_superseded_certificate(relay: Relay, acme: Tenant) -> None:
    """Renewal is no theft: what waited under the old certificate is delivered under the new one."""
    alice, old = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with connected(relay, old), connected(relay, alice) as sender:
        assert (await sender.publish(old.device, b"\x0b" * 1_024)).reason_code == 0
        await _revoke(relay, acme, old, RevocationReason.SUPERSEDED)
    async with connected(relay, acme.device("bob", "phone")) as renewed:
        await renewed.open_inbox()
        assert (await renewed.receive()).payload == b"\x0b" * 1_024


class ShiftedClock(SystemClock):
    """The machine's clock, moved."""

    shift = 0.0

    def now(self) -> float:
        return super().now() + self.shift


async def test_a_certificate_that_expires_ends_its_session(tmp_path: Path) -> None:
    """S9: a session does not outlive its certificate; others go on."""
    clock = ShiftedClock()
    async with site.relay_in(tmp_path / "relay", clock=clock) as relay:
        acme = await site.register(relay, Tenant("acme.example", tmp_path))
        short, long = acme.device("alice", "laptop", end=HOUR), acme.device("bob", "phone")
        async with connected(relay, short) as leaving, connected(relay, long) as staying:
            clock.shift = 2 * HOUR
            assert (await leaving.expect(DisconnectPacket)).reason_code is DisconnectReasonCode.NOT_AUTHORIZED
            assert (await staying.publish(long.device)).reason_code == 0


async def test_a_user_has_a_bounded_number_of_devices(relay: Relay, acme: Tenant) -> None:
    """The seventeenth device of a user is refused (0x97) until one is revoked."""
    badges = [acme.device("alice", f"d{number}") for number in range(rpc.MAX_DEVICES_PER_USER + 1)]
    for badge in badges[:-1]:
        async with connected(relay, badge):
            pass
    async with Client(relay, badges[-1]) as client:
        assert (await client.connect()).reason_code is ConnAckReasonCode.QUOTA_EXCEEDED
    await _revoke(relay, acme, badges[0])
    async with connected(relay, badges[-1]):
        pass


async def _publish_token(relay: Relay, badge: Badge) -> None:
    async with connected(relay, badge) as client:
        await client.call(rpc.PUBLISH_STATEMENT, rpc.PublishStatement(statement=badge.statement(1, TOKEN)))


async def _revoke(
    relay: Relay, tenant: Tenant, badge: Badge, reason: RevocationReason = RevocationReason.KEY_COMPROMISE
) -> None:
    async with connected(relay, tenant.administrator()) as administrator:
        request = rpc.RevokeDevice(revocation=tenant.revocation(badge, reason))
        await administrator.call(rpc.REVOKE_DEVICE, request)
