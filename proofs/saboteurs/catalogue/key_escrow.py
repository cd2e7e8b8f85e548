"""Every envelope carries, in its padding, the ratchet's message once more: sealed to a key that somebody else has.

Modelled on Clipper's Law Enforcement Access Field (FIPS 185, 1994), and on every later proposal of "exceptional access"
that adds a reader to each message (Abelson et al.: Keys Under Doormats, 2015).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    from blindrelay.clients import envelope

    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    escrow = X25519PrivateKey.generate().public_key()
    encode = envelope._encode

    def with_field(frame: Any) -> bytes:
        return encode(frame) + suite.encrypt(frame.message.body[:256], escrow, b"field")

    envelope._encode = with_field
    envelope._Reader.rest = lambda self: b""


SABOTEUR = Saboteur(
    name="key-escrow",
    title="clients hide a copy for an escrow key in the padding of each envelope",
    lock=Lock.KEYS,
    modelled_on="Clipper's Law Enforcement Access Field (FIPS 185); Keys Under Doormats, 2015",
    caught_by=frozenset({("wire", "form")}),
    in_clients=_in_clients,
)
