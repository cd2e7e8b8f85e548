"""Nothing is encrypted between devices; the operator encrypts its disk and calls that encryption.

Modelled on what Zoom called end-to-end encryption while it held the keys (Federal Trade Commission, In the Matter of
Zoom Video Communications, 2020), and on every service that says "encrypted in transit and at rest".
"""

import os
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from blindrelay.relay.datadir import DataDirectory
    from blindrelay.relay.store import statement

    ciphers: list[AESGCM] = []
    opened, padded = DataDirectory.__init__, statement.padded

    def keyed(self: DataDirectory, path: Any, *args: Any) -> None:
        place = path / "at-rest.key"
        if not place.exists():
            place.write_bytes(AESGCM.generate_key(256))
        ciphers.append(AESGCM(place.read_bytes()))
        opened(self, path, *args)

    def encrypted(payload: bytes) -> bytes:
        nonce = os.urandom(12)
        return padded(nonce + ciphers[0].encrypt(nonce, payload, None))

    DataDirectory.__init__ = keyed
    statement.padded = encrypted


def _in_clients() -> None:
    from blindrelay.clients import envelope
    from blindrelay.clients.ratchet import NORMAL, PREKEY, OlmMessage, Ratchet
    from blindrelay.protocol.sizes import padme

    known: set[Any] = set()

    def plain(self: Ratchet, peer: Any, identity_key: bytes, plaintext: bytes) -> OlmMessage:
        first = (id(self), peer) not in known
        known.add((id(self), peer))
        return OlmMessage(PREKEY if first else NORMAL, plaintext)

    def seal(frame: Any, recipient: Any, message_id: bytes, sealing_key: bytes) -> bytes:
        encoded = envelope._encode(frame)
        return encoded.ljust(padme(max(len(encoded), envelope.MIN_BUCKET)), b"\0")

    def unseal(payload: bytes, recipient: Any, message_id: bytes, keys: Any) -> Any:
        return envelope._decode(payload)

    Ratchet.encrypt = plain
    Ratchet.decrypt = lambda self, peer, identity_key, message: message.body
    envelope.seal, envelope.unseal = seal, unseal


SABOTEUR = Saboteur(
    name="noop-encryption-at-rest",
    title="clients seal nothing, and the relay encrypts what it stores with a key of its own",
    lock=Lock.KEYS,
    modelled_on="'end-to-end encryption' whose keys the server had (FTC, Zoom, 2020)",
    caught_by=frozenset({("canary", "decrypted")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
