"""Clients say with each letter on what kind of device it was written, "for compatibility".

Modelled on user agents and on the metadata that messengers' protocols carry in the clear beside the ciphertext; with
a rare phone, an anonymous letter is signed.
"""

import struct

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.link import PublishProperties

    pack = PublishProperties.pack

    def talkative(self: PublishProperties) -> bytes:
        if self._expires_at is not None:
            self._rest += struct.pack("!BH", 0x26, 5) + b"model" + struct.pack("!H", 7) + b"Pixel 9"
        return pack(self)

    PublishProperties.pack = talkative


SABOTEUR = Saboteur(
    name="model-of-the-phone",
    title="clients name their device's model beside each envelope",
    lock=Lock.KEYS,
    modelled_on="user agents, by which browsers can be told apart (Eckersley: How Unique Is Your Web Browser?, 2010)",
    caught_by=frozenset({("wire", "property")}),
    in_clients=_in_clients,
)
