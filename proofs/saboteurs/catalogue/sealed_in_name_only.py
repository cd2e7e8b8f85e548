"""Clients send letters in the posture `sealed` over the connection that names their device.

Modelled on anonymous posting that kept who had posted (Whisper, The Guardian, October 2014; Yik Yak).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.running import Running

    route = Running._route
    Running._route = lambda self, key: route(self, None)


SABOTEUR = Saboteur(
    name="sealed-in-name-only",
    title="letters in the posture `sealed` go over the connection that names their sender",
    lock=Lock.FORM,
    modelled_on="anonymous posting that was not (Whisper, 2014)",
    caught_by=frozenset({("traffic", "sender_named")}),
    in_clients=_in_clients,
)
