"""SIG"""

from dataclasses import dataclass

from cryptography import x509

from blindrelay.clients.errors import IdentityRejected
from blindrelay.clients.keystore import KeyStore
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.rpc import UserEntry
from blindrelay.protocol.statements import Signed


@dataclass(frozen=True, slots=True)
class ContactDevice:
    """A verified device of somebody."""

    address: DeviceAddress
    identity_key: bytes
    signing_key: bytes
    sealing_key: bytes
    token_verifier: bytes
    sequence: int
    key_fingerprint: bytes
    archive: bool
    not_after: int
    listed: bool  # in the last directory entry: may be written to


@dataclass(frozen=True, slots=True)
class Contact:
    """A user and the devices of theirs that proved themselves; `rejected` are those of the last entry that did not."""

    user: UserAddress
    devices: tuple[ContactDevice, ...]
    rejected: tuple[IdentityRejected, ...] = ()


class Contacts:
    """Whom this device knows and how far it trusts them."""

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        raise NotImplementedError

    def root(self, tenant: str) -> x509.Certificate | None:
        raise NotImplementedError

    def pin_root(self, tenant: str, root: bytes) -> None:
        """Trust on first use; raises IdentityRejected('root' | 'root-changed')."""

    def accept(self, entry: UserEntry) -> Contact:
        """Verify a directory entry and keep what holds. Raises IdentityRejected when the root, or every device, fails."""
        raise NotImplementedError

    def contact(self, user: UserAddress) -> Contact | None:
        raise NotImplementedError

    def device(self, address: DeviceAddress) -> ContactDevice | None:
        raise NotImplementedError

    def all(self) -> list[Contact]:
        raise NotImplementedError

    def check_prekey(self, device: DeviceAddress, prekey: Signed) -> bytes:
        """The Curve25519 key of a claimed prekey, after checking whose it is. Raises IdentityRejected('prekey')."""
        raise NotImplementedError

    def learn_token(self, user: UserAddress, token: bytes) -> None:
        """Raises IdentityRejected('token') when the user's devices state another verifier."""

    def token(self, user: UserAddress) -> DeliveryToken | None:
        raise NotImplementedError

    def safety_number(self, own: UserAddress, other: UserAddress) -> str:
        """60 digits, 12 groups of 5. Both users must be contacts (look up oneself, too)."""
        raise NotImplementedError

    def mark_verified(self, own: UserAddress, other: UserAddress) -> None: ...
    def is_verified(self, own: UserAddress, other: UserAddress) -> bool:
        raise NotImplementedError
