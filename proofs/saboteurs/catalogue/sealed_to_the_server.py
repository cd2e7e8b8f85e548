"""Clients seal to a key of the server's, which is to seal anew to whom it concerns.

Modelled on Hushmail, which encrypted and decrypted on its servers and handed over what it had read there (United
States v. Stumbo, 2007).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import envelope

    server = envelope.SealingKeyPair.generate()
    seal = envelope.seal

    def to_the_server(frame: Any, recipient: Any, message_id: bytes, sealing_key: bytes) -> bytes:
        return seal(frame, recipient, message_id, server.public)

    envelope.seal = to_the_server


SABOTEUR = Saboteur(
    name="sealed-to-the-server",
    title="clients seal to a key of the server's, which seals anew",
    lock=Lock.KEYS,
    modelled_on="encryption that the server did (Hushmail, 2007)",
    caught_by=frozenset({("wire", "does-not-open")}),
    in_clients=_in_clients,
)
