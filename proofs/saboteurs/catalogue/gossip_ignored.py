"""Clients do not compare what they have been shown with what their friends have been shown.

Modelled on the split views that make transparency logs worth nothing when nobody talks about them (Chuat, Szalachowski, Perrig,
Laurie, Messeri: Efficient Gossip Protocols for Verifying the Consistency of Certificate Logs, 2015).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.heads import Heads

    Heads.hear = lambda *_: None


SABOTEUR = Saboteur(
    name="gossip-ignored",
    title="clients do not notice that the relay shows a friend another directory",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="split views of transparency logs (Chuat et al., 2015)",
    caught_by=frozenset({("attacks", "split-view")}),
    in_clients=_in_clients,
)
