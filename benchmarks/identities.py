"""Certificates for a measurement: real ones, by the profile of `blindrelay.protocol.certificates`, as PEM files.

All devices of a tenant share one key here, for making ten thousand keys is not what is to be measured; the relay checks
each certificate all the same.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from benchmarks.job import Identity, Pair
from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.certificates import subject_uri

VALID = timedelta(days=1)


class Tenant:
    """A tenant's root and devices, below `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        folder.mkdir(parents=True)
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._device_key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._issue_root()
        self.root_file = self._write("root.pem", self.root.public_bytes(Encoding.PEM))
        key = self._device_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key_file = self._write("device.key", key)

    def device(self, user: str, device: str = "laptop") -> Identity:
        """A device with a certificate of this tenant."""
        address = DeviceAddress(self.name, user, device)
        certificate = self._issue(address)
        path = self._write(f"{user}-{device}.pem", certificate.public_bytes(Encoding.PEM))
        return Identity(client_id=str(address), certificate=str(path), key=str(self._key_file))

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path

    def _builder(self, common_name: str, subject_key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        public = subject_key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    def _issue_root(self) -> x509.Certificate:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self.name, self._root_key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return builder.add_extension(usage, critical=True).sign(self._root_key, hashes.SHA256())

    def _issue(self, address: DeviceAddress) -> x509.Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._root_key.public_key())
        name = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject_uri(address))])
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = self._builder(address.user, self._device_key)
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage, True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            (authority, False),
            (name, False),
        ):
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._root_key, hashes.SHA256())


def pairs(sending: Tenant, receiving: Tenant, count: int, first: int = 0) -> list[Pair]:
    """`count` senders in one tenant, each with a receiver in the other, on the relay's topics; numbered from `first` on."""
    made = []
    for number in range(first, first + count):
        sender, receiver = sending.device(f"sender{number}"), receiving.device(f"receiver{number}")
        address = DeviceAddress.parse(receiver.client_id)
        made.append(
            Pair(sender=sender, receiver=receiver, publish_to=topics.to(address), subscribe_to=topics.inbox(address))
        )
    return made


def on_one_topic(pair: Pair) -> Pair:
    """The same pair for a broker that only forwards: what is published to a topic goes to who subscribed to that topic."""
    return pair.model_copy(update={"subscribe_to": pair.publish_to})
