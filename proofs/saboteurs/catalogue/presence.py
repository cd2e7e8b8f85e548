"""Clients say when somebody is there, on a topic of its own.

Modelled on presence in messengers, from which strangers learn when people sleep and with whom they speak
(Buchenscheit, Koenings, Neubert, Schaub, Schneider, Kargl: Privacy Implications of Presence Sharing in Mobile
Messaging Applications, 2014).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.link import Link

    post = Link.post

    def present(self: Link, topic: str, *args: Any) -> None:
        self._client.publish("v1/presence", b"here", qos=1)
        post(self, topic, *args)

    Link.post = present


SABOTEUR = Saboteur(
    name="presence",
    title="clients publish whether somebody is there",
    lock=Lock.KEYS,
    modelled_on="presence in messengers (Buchenscheit et al., 2014)",
    caught_by=frozenset({("wire", "topic")}),
    in_clients=_in_clients,
)
