"""Who takes part in a run: one tenant, its devices with certificates of their own, and their introduction to the relay."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mqtt5
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from blindrelay.clients.enterprise.ca import Authority
from blindrelay.proofs.chaos.wire import CONNECT_PATIENCE, Endpoint, NotAdmitted, Packet, Wire
from blindrelay.protocol import rpc, topics
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.credentials import REGISTRAR

TENANT = "chaos.example"
# Certificates begin this long ago, so that a wall clock that is set back finds them valid. Seconds.
_BACKDATED = 20 * 86_400


class _BackdatedClock(SystemClock):
    def now(self) -> float:
        return super().now() - _BACKDATED


@dataclass(frozen=True, slots=True)
class People:
    """A tenant, its root (DER), and the TLS contexts of its devices; `anonymous` has no certificate."""

    root: bytes
    contexts: dict[DeviceAddress, ssl.SSLContext]
    anonymous: ssl.SSLContext
    tenant: str = TENANT


def addresses(count: int, tenant: str = TENANT, person: str = "user") -> list[DeviceAddress]:
    """The first `count` devices of the tenant."""
    return [DeviceAddress(tenant, f"{person}{n}", "device") for n in range(count)]


def enrol(devices: Iterable[DeviceAddress], relay_certificate: Path, folder: Path, tenant: str = TENANT) -> People:
    """Make a tenant and certificates for `devices`; keys go to `folder`, for OpenSSL reads them from files alone."""
    authority = Authority.create(tenant, _BackdatedClock())
    contexts: dict[DeviceAddress, ssl.SSLContext] = {}
    for device in devices:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = authority.issue_device(device, key.public_key())
        pem = folder / f"{fingerprint(certificate).hex()[:16]}.pem"
        pem.touch(mode=0o600)
        pem.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        contexts[device] = _context(relay_certificate)
        contexts[device].load_cert_chain(pem)
    return People(authority.root.public_bytes(Encoding.DER), contexts, _context(relay_certificate), tenant)


def _context(relay_certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=relay_certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


async def register(people: People, port: int, registration_code: str, host: str = "127.0.0.1") -> None:
    """Introduce the tenant to the relay. Raises NotAdmitted, OSError or TimeoutError."""
    packets: asyncio.Queue[Packet | None] = asyncio.Queue()
    endpoint = Endpoint(host, port, people.anonymous, host)
    wire = await Wire.open(endpoint, packets.put_nowait, lambda _: packets.put_nowait(None))
    try:
        async with asyncio.timeout(CONNECT_PATIENCE):
            await _register(wire, packets, people, registration_code)
    finally:
        wire.abort()


async def _register(wire: Wire, packets: "asyncio.Queue[Packet | None]", people: People, code: str) -> None:
    wire.send(mqtt5.ConnectPacket("", clean_start=True, username=REGISTRAR, password=code.encode()))
    admitted = await packets.get()
    if not isinstance(admitted, mqtt5.ConnAckPacket) or int(admitted.reason_code):
        raise NotAdmitted(f"the registrar was not admitted: {admitted}", getattr(admitted, "reason_code", 0))
    reply = topics.reply(admitted.assigned_client_id or "")
    wire.send(mqtt5.SubscribePacket(1, [mqtt5.TopicFilter(reply, max_qos=mqtt5.QoS.AT_LEAST_ONCE)]))
    request = rpc.RegisterTenant(tenant=people.tenant, root=people.root)
    wire.send(
        mqtt5.PublishPacket(
            topics.rpc(rpc.REGISTER_TENANT.name),
            request.model_dump_json().encode(),
            qos=mqtt5.QoS.AT_LEAST_ONCE,
            packet_id=2,
            response_topic=reply,
            correlation_data=b"register",
        )
    )
    while not isinstance(packet := await packets.get(), mqtt5.PublishPacket):
        if packet is None:
            raise NotAdmitted("the relay closed the registrar's connection")
    answer = rpc.Answer.model_validate_json(packet.payload)
    if answer.error is not None:
        raise NotAdmitted(f"the tenant was not registered: {answer.error.message}")
