"""SIG"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.statements import RevocationReason, Signed


class Authority:
    """A tenant's own CA."""

    tenant: str
    root: x509.Certificate

    @classmethod
    def create(cls, tenant: str, clock: Clock, directory: Path | None = None, passphrase: str | None = None) -> "Authority":
        """A new CA, in memory alone when `directory` is None (else 0700, files 0600). Raises AuthorityError."""
        raise NotImplementedError

    @classmethod
    def open(cls, directory: Path, clock: Clock, passphrase: str | None = None) -> "Authority":
        """Raises AuthorityError (not there, wrong or missing passphrase, damaged)."""
        raise NotImplementedError

    def issue_device(
        self, address: DeviceAddress, key: ec.EllipticCurvePublicKey, *, archive: bool = False
    ) -> x509.Certificate:
        """Valid 397 days. The certificate is kept in the directory, so that it can be revoked."""
        raise NotImplementedError

    def issue_administrator(self, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """For rpc: revoke, look up."""
        raise NotImplementedError

    def certificates(self, address: DeviceAddress) -> list[x509.Certificate]:
        """All that were issued to the device."""
        raise NotImplementedError

    def devices(self) -> list[DeviceAddress]:
        """All that were ever enrolled, in order."""
        raise NotImplementedError

    def revoke(self, certificate: x509.Certificate, reason: RevocationReason) -> Signed:
        """A signed `Revocation`, for rpc REVOKE_DEVICE."""
        raise NotImplementedError

    def delivery_token(self, user: UserAddress) -> DeliveryToken:
        """The user's token, derived from the tenant's secret."""
        raise NotImplementedError
