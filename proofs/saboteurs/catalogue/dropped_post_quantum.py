"""Envelopes are sealed with X25519 alone: faster, smaller, and as good as ever until somebody has a quantum computer.

Modelled on downgrades of hybrid key exchange: a layer that is optional is dropped first where somebody records
traffic now to open it later (Mosca: Cybersecurity in an Era with Quantum Computers, 2015).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    from blindrelay.clients import envelope
    from blindrelay.clients.envelope import OVERHEAD, SealingKeyPair

    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    saved = OVERHEAD - 48  # what X25519 alone takes

    class Classical:
        def encrypt(self, plaintext: bytes, public: Any, info: bytes) -> bytes:
            raw = public.public_bytes_raw() if hasattr(public, "public_bytes_raw") else public
            return suite.encrypt(plaintext + bytes(saved), X25519PublicKey.from_public_bytes(raw[-32:]), info)

    def decrypt(self: SealingKeyPair, sealed: bytes, info: bytes) -> bytes:
        return suite.decrypt(sealed, X25519PrivateKey.from_private_bytes(self.seeds[64:]), info)

    envelope._SUITE = Classical()
    envelope._public = lambda key: key
    SealingKeyPair.decrypt = decrypt


SABOTEUR = Saboteur(
    name="dropped-post-quantum",
    title="clients seal with X25519 alone",
    lock=Lock.KEYS,
    modelled_on="harvest now, decrypt later (Mosca, 2015): optional layers are dropped first",
    caught_by=frozenset({("wire", "not-hybrid")}),
    in_clients=_in_clients,
)
