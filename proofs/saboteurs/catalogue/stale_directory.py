"""Clients take a directory for current whose witnesses have last seen it days ago: a revoked device stays.

Modelled on freeze attacks on software updates (Cappos, Samuel, Baker, Hartman: A Look in the Mirror, 2008).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.protocol.transparency.policy import Trust

    Trust.is_met_by = lambda *_: True


SABOTEUR = Saboteur(
    name="stale-directory",
    title="clients want no witness, and take an old directory for the current one",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="freeze attacks (Cappos et al., 2008)",
    caught_by=frozenset({("attacks", "stale-directory")}),
    in_clients=_in_clients,
)
