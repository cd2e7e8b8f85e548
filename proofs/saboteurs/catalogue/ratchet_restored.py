"""The ratchet is not written down after it has moved, as if the key store were restored from a backup each time.

The same place of a chain encrypts two messages: one key, one nonce. Modelled on phones that were restored from backups,
and on KRACK (Vanhoef and Piessens, 2017), where a handshake that was repeated reset a nonce.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.ratchet import Ratchet

    encrypt, keep = Ratchet.encrypt, Ratchet._keep

    def forgetful(self: Ratchet, peer: Any, identity_key: bytes, plaintext: bytes) -> Any:
        Ratchet._keep = lambda *_: None
        try:
            return encrypt(self, peer, identity_key, plaintext)
        finally:
            Ratchet._keep = keep

    Ratchet.encrypt = forgetful


SABOTEUR = Saboteur(
    name="ratchet-restored",
    title="clients use one place of a ratchet's chain for several messages",
    lock=Lock.KEYS,
    modelled_on="nonce reuse after a restored backup; KRACK, 2017",
    caught_by=frozenset({("wire", "repeats")}),
    in_clients=_in_clients,
)
