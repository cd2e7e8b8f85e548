"""Who is meant by the digests of the log `directory`: known to whoever has an enterprise's CA, or a device, in the home."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.cli.places import tenant_directory
from blindrelay.clients.enterprise.ca import Certificates, read_certificates
from blindrelay.clients.errors import AuthorityError
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import fingerprint, subject_of
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.directory import account_label

if TYPE_CHECKING:
    from blindrelay.clients.identity import OwnIdentity

_MAX_CERTIFICATE: Final = 65_536


@dataclass(slots=True)
class Names:
    """Names by digest: of devices by that of their certificate, of users by their account's label."""

    devices: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)

    @classmethod
    def known_in(cls, home: Path) -> "Names":
        """What the CAs in a home know. One that cannot be read knows nothing."""
        names = cls()
        for folder in sorted((home / "tenants").glob("*/")):
            try:
                names._learn(read_certificates(folder))
            except (AuthorityError, Malformed):
                continue
        return names

    def _learn(self, certificates: Certificates) -> None:
        root = certificates.root.public_bytes(Encoding.DER)
        for certificate in certificates.issued:
            subject = subject_of(certificate)
            if isinstance(subject, DeviceAddress):
                self.devices[fingerprint(certificate).hex()] = f"{subject.user}/{subject.device}"
                self.users[account_label(subject.owner, root)] = subject.user


class Identities:
    """The devices in a home: their key stores are opened for a moment each."""

    def __init__(self, home: Path, passphrase_file: Path | None) -> None:
        self.home = home
        self._file = passphrase_file

    def of_device(self, address: DeviceAddress) -> "OwnIdentity":
        """What a device is. Raises `NotEnrolled`, `WrongPassphrase`, `StoreInUse`, `StoreDamaged`."""
        # Whoever only reads a log needs nothing of what opens key stores.
        from blindrelay.cli.devices import Speaker  # noqa: PLC0415

        return Speaker(address, self.home, self._file).identity()

    def of_account(self, user: UserAddress) -> "Iterator[OwnIdentity]":
        """Those of a user."""
        for folder in sorted((self.home / "clients" / user.tenant / user.user).glob("*/")):
            yield self.of_device(DeviceAddress(user.tenant, user.user, folder.name))


def certificates_of(home: Path, tenant: str) -> Certificates | None:
    """What the CA of a tenant has signed, if it is in the home. Raises `AuthorityError` if it is damaged."""
    folder = tenant_directory(home, tenant)
    return read_certificates(folder) if (folder / "root.der").exists() else None


def root_of(user: UserAddress, identities: Identities, file: Path | None) -> x509.Certificate:
    """The root of the user's enterprise: in a file, in its CA, or in a device of the user's.

    Raises:
        Malformed: the file holds no certificate.
        click.UsageError: it is nowhere.
    """
    if file is not None:
        return _certificate_in(file)
    if (certificates := certificates_of(identities.home, user.tenant)) is not None:
        return certificates.root
    identity = next(identities.of_account(user), None)
    if identity is None:
        raise click.UsageError(
            f"an account is found in the log by the root of its enterprise, and there is neither {user.tenant} nor a device of "
            f"{user} in {identities.home}: name its root certificate with --root FILE"
        )
    return identity.root


def _certificate_in(file: Path) -> x509.Certificate:
    with file.open("rb") as opened:
        data = opened.read(_MAX_CERTIFICATE)
    try:
        is_pem = data.startswith(b"-----")
        return x509.load_pem_x509_certificate(data) if is_pem else x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise Malformed(f"{file} is no certificate: expected PEM or DER") from error
