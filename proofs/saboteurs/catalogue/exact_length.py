"""Envelopes are as long as what is in them, and the relay takes them: less traffic, and the length of every letter.

Modelled on what lengths give away through encryption: pages, phrases, forms (Chen, Wang, Wang, Zhang: Side-Channel Leaks in Web
Applications: A Reality Today, a Challenge Tomorrow, 2010).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur

_ANY = range(1_024, 262_145)


def _in_relay() -> None:
    from blindrelay.relay import intake

    intake.BUCKETS = _ANY


def _in_clients() -> None:
    from blindrelay.clients import envelope

    envelope.padme = lambda length: length
    envelope.BUCKETS = _ANY
    envelope.MIN_BUCKET = 0


SABOTEUR = Saboteur(
    name="exact-length",
    title="clients do not pad, and the relay takes envelopes of any length",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="lengths that give away what is encrypted (Chen et al., 2010)",
    caught_by=frozenset({("traffic", "size_leaks")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
