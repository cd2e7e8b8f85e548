"""Envelopes are as long as what is in them, and the relay takes them so: padding costs traffic.

Modelled on the lengths that give encrypted messages away: pages behind TLS by their sizes (Cheng and Avnur: Traffic
Analysis of SSL Encrypted Web Browsing, 1998), and messages of iMessage by language and length (Coull and Dyer, 2014).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay import intake

    class Every:
        def __contains__(self, size: int) -> bool:
            return True

    vars(intake)["BUCKETS"] = Every()


def _in_clients() -> None:
    from blindrelay.clients import envelope

    envelope.padme = lambda length: length


SABOTEUR = Saboteur(
    name="padding-dropped",
    title="clients do not pad, and the relay does not mind",
    lock=Lock.KEYS,
    modelled_on="lengths of encrypted messages (Coull and Dyer, on iMessage, 2014)",
    caught_by=frozenset({("wire", "size")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
