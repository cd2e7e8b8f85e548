"""SIG"""

import ssl

from cryptography import x509

from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.ratchet import Ratchet
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.rpc import PublishPrekeys
from blindrelay.protocol.statements import Signed
from cryptography.hazmat.primitives.asymmetric import ec


class OwnIdentity:
    """What this device is and signs with; kept in the key store."""

    @classmethod
    def create(
        cls,
        store: KeyStore,
        *,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        root: x509.Certificate,
        token: DeliveryToken,
    ) -> "OwnIdentity":
        """After enrolment: checks that certificate, key and root belong together, makes ratchet account and sealing key."""
        raise NotImplementedError

    @classmethod
    def load(cls, store: KeyStore) -> "OwnIdentity":
        """Raises NotEnrolled when the store holds none."""
        raise NotImplementedError

    address: DeviceAddress
    certificate: x509.Certificate
    root: x509.Certificate
    token: DeliveryToken
    ratchet: Ratchet

    def load_tls(self, context: ssl.SSLContext) -> None:
        """Give `context` this device's certificate and key."""

    def statement(self, clock: Clock) -> Signed:
        """The current signed statement (made and kept when there is none yet): publish it at each start."""
        raise NotImplementedError

    def rotate_sealing_key(self, clock: Clock) -> Signed:
        """New sealing key, new statement (higher sequence); the previous keys still open for a month."""
        raise NotImplementedError

    def rotation_due(self, clock: Clock) -> bool:
        """Whether the sealing and fallback keys are a week old."""
        raise NotImplementedError

    def prekeys(self, have: int, *, fallback: bool) -> PublishPrekeys:
        """Fresh one-time prekeys to fill the relay up from `have`, and a new fallback key when wanted."""
        raise NotImplementedError
