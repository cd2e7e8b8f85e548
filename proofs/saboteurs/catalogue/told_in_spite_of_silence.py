"""The public log tells of requests at once, those too about which a court has ordered silence.

Modelled on every provider that learned after the fact what its own statistics had given away; it is why 50 USC 1874 has bands.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import disclosures

    disclosures.is_silent = lambda _case, _now: False


SABOTEUR = Saboteur(
    name="told-in-spite-of-silence",
    title="the public log tells of requests while silence is ordered",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="statistics that give a secret order away (compare 50 USC 1874)",
    caught_by=frozenset({("leaves", "told-early")}),
    in_relay=_in_relay,
)
