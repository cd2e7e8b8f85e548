"""Clients do not want a new checkpoint to continue the last one: a log may forget.

Modelled on rollback attacks on software updates, and on CONIKS without its hash chain (Melara et al.: CONIKS, 2015).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.heads import Heads

    Heads._prove = lambda *_: None


SABOTEUR = Saboteur(
    name="rollback-accepted",
    title="clients take a directory's log that has forgotten something",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="rollback attacks (Cappos et al., 2008; Melara et al.: CONIKS, 2015)",
    caught_by=frozenset({("attacks", "log-rollback")}),
    in_clients=_in_clients,
)
