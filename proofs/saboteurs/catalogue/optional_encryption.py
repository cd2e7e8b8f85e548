"""Clients seal nothing: encryption is something that a person would have to turn on.

Modelled on messengers whose ordinary chats are no secret to the server, though the word is in their advertising
(Telegram; Albrecht et al., 2022, on what there is instead).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import envelope
    from blindrelay.protocol.sizes import padme

    def seal(frame: Any, recipient: Any, message_id: bytes, sealing_key: bytes) -> bytes:
        encoded = envelope._encode(frame)
        return encoded.ljust(padme(max(len(encoded), envelope.MIN_BUCKET)), b"\0")

    envelope.seal = seal
    envelope.unseal = lambda payload, recipient, message_id, keys: envelope._decode(payload)


SABOTEUR = Saboteur(
    name="optional-encryption",
    title="clients do not seal what nobody has asked them to seal",
    lock=Lock.KEYS,
    modelled_on="encryption that has to be turned on (Telegram's ordinary chats)",
    caught_by=frozenset({("wire", "plaintext")}),
    in_clients=_in_clients,
)
