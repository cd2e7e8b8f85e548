"""Clients acknowledge what nobody sees, to anybody.

A stranger learns when a phone is on, how many there are, and more, without a trace on them. Modelled on Gegenhuber et al.:
Careless Whisper: Exploiting Silent Delivery Receipts to Monitor Users on Mobile Instant Messengers (2024).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.desk import Desk

    handle = Desk._handle_retraction

    def polite(self: Desk, letter: bytes, sender: Any) -> bool:
        handle(self, letter, sender)
        return True

    Desk._handle_retraction = polite


SABOTEUR = Saboteur(
    name="probing-receipt",
    title="clients send delivery receipts to strangers for what nobody sees",
    lock=Lock.KEYS,
    modelled_on="Careless Whisper: silent delivery receipts (Gegenhuber et al., 2024)",
    caught_by=frozenset({("wire", "probed")}),
    in_clients=_in_clients,
)
