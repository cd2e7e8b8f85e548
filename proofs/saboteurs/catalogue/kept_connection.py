"""An anonymous connection stays open, to save the next handshake: everything that comes over it is by one hand.

Modelled on long-lived circuits, over which everything that somebody does can be tied together (the reason why Tor changes
circuits after ten minutes; Dingledine, Mathewson, Syverson: Tor: The Second-Generation Onion Router, 2004).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.sealed import SealedRoute

    def stay(self: Any) -> None:
        """Never close."""

    SealedRoute.let_go = stay


SABOTEUR = Saboteur(
    name="kept-connection",
    title="clients keep an anonymous connection for all that they ever write to somebody",
    lock=Lock.FORM,
    modelled_on="linking by long-lived circuits (Dingledine, Mathewson, Syverson, 2004)",
    caught_by=frozenset({("traffic", "connection_ties")}),
    in_clients=_in_clients,
)
