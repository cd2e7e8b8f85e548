"""A running relay, and devices as any MQTT client wants them: PEM files and topics."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from blindrelay.clients.enterprise.ca import Authority
from blindrelay.proofs.chaos import people
from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.config import Desk, Settings
from blindrelay.relay.server import Relay


@dataclass(frozen=True)
class Member:
    """An enrolled device: its name, and the file with its key and certificate."""

    address: DeviceAddress
    pem: Path
    ca: Path

    @property
    def client_id(self) -> str:
        """Its address is its MQTT client id."""
        return str(self.address)

    @property
    def inbox(self) -> str:
        """Where it reads."""
        return topics.inbox(self.address)

    @property
    def topic(self) -> str:
        """Where others write to it."""
        return topics.to(self.address)

    @property
    def tls(self) -> ssl.SSLContext:
        """What a TLS client needs to be this device."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.pem)
        return context


@dataclass(frozen=True)
class Site:
    """A relay and two devices of a registered tenant."""

    port: int
    alice: Member
    bob: Member


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay on a free port of loopback."""
    async with Relay(Settings(data_dir=tmp_path / "relay", port=0, desk=Desk(enabled=False))) as relay:
        yield relay


@pytest.fixture
async def site(relay: Relay, tmp_path: Path) -> Site:
    """The relay, with two devices that it will recognise."""
    authority = Authority.create(people.TENANT, SystemClock())
    anonymous = ssl.create_default_context(cafile=relay.certificate)
    root = authority.root.public_bytes(Encoding.DER)
    await people.register(people.People(root, {}, anonymous), relay.port, relay.registration_code)
    alice, bob = (_enrol(authority, user, tmp_path, relay.certificate) for user in ("alice", "bob"))
    return Site(relay.port, alice, bob)


def _enrol(authority: Authority, user: str, folder: Path, ca: Path) -> Member:
    address = DeviceAddress(authority.tenant, user, "device")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue_device(address, key.public_key())
    pem = folder / f"{user}.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    return Member(address, pem, ca)
