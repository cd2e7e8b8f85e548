"""Clients write somebody else's name on the inside of an envelope, and recipients believe it.

Modelled on the attacks on Matrix in which a server, or a friend of its, spoke in somebody else's name (Albrecht,
Celi, Dowling, Jones: Practically-exploitable Cryptographic Vulnerabilities in Matrix, 2022).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import envelope
    from blindrelay.protocol.address import DeviceAddress

    seal = envelope.seal

    def spoofed(frame: Any, *about: Any) -> bytes:
        sender = frame.sender
        return seal(dataclasses.replace(frame, sender=DeviceAddress(sender.tenant, "mallory", sender.device)), *about)

    envelope.seal = spoofed


SABOTEUR = Saboteur(
    name="sender-spoofed",
    title="envelopes name another sender than the one that sends them",
    lock=Lock.KEYS,
    modelled_on="messages in somebody else's name (Albrecht et al. on Matrix, 2022)",
    caught_by=frozenset({("wire", "sender")}),
    in_clients=_in_clients,
)
