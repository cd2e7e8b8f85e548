"""A client does not remember what it has dealt with, and its ratchet does not either.

Modelled on the replays that bank and door systems paid for; in messaging: Rösler, Mainka, Schwenk: More is Less, 2018.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.keystore import KeyStore
    from blindrelay.clients.ratchet import Ratchet

    taken: dict[bytes, bytes] = {}
    decrypt = Ratchet.decrypt

    def remembering(self: Ratchet, peer: Any, identity_key: bytes, message: Any) -> bytes:
        if message.body not in taken:
            taken[message.body] = decrypt(self, peer, identity_key, message)
        return taken[message.body]

    Ratchet.decrypt = remembering
    KeyStore.was_processed = lambda self, message_id: False


SABOTEUR = Saboteur(
    name="replay-accepted",
    title="clients take the same envelope twice",
    lock=Lock.KEYS,
    modelled_on="replayed messages (Rösler, Mainka, Schwenk: More is Less, 2018)",
    caught_by=frozenset({("wire", "replay")}),
    in_clients=_in_clients,
)
