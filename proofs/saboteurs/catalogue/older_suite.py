"""Clients still take envelopes of the version before, so that nobody has to update.

Modelled on FREAK, Logjam and POODLE (2014, 2015): what nobody uses any more and everybody accepts.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import envelope

    decode = envelope._decode
    envelope._decode = lambda padded: decode(bytes([envelope.VERSION]) + padded[1:])


SABOTEUR = Saboteur(
    name="older-suite",
    title="clients accept envelopes of an older version",
    lock=Lock.KEYS,
    modelled_on="FREAK, Logjam, POODLE: old versions that everybody accepts",
    caught_by=frozenset({("wire", "downgrade")}),
    in_clients=_in_clients,
)
