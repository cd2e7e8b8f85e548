"""SIG"""

from dataclasses import dataclass, field

from blindrelay.clients.keystore import KeyStore
from blindrelay.protocol.address import DeviceAddress


@dataclass(frozen=True, slots=True)
class OlmMessage:
    """A ratchet message: type 0 = prekey message, 1 = normal."""

    type: int
    body: bytes = field(repr=False)


class Ratchet:
    """Double ratchet sessions with other devices, all state in the key store."""

    def __init__(self, store: KeyStore) -> None:
        raise NotImplementedError

    identity_key: bytes
    signing_key: bytes

    def has_session(self, peer: DeviceAddress, identity_key: bytes) -> bool:
        raise NotImplementedError

    def start_session(self, peer: DeviceAddress, identity_key: bytes, prekey: bytes) -> None: ...
    def encrypt(self, peer: DeviceAddress, identity_key: bytes, plaintext: bytes) -> OlmMessage:
        raise NotImplementedError

    def decrypt(self, peer: DeviceAddress, identity_key: bytes, message: OlmMessage) -> bytes:
        raise NotImplementedError

    def forget(self, peer: DeviceAddress) -> None: ...
