"""Next to an anonymous letter leave the copies for the sender's other devices. Who gets something on all devices but one has
written it.

Modelled on our own clients, which did so until it was measured; and on what several devices give away (Gegenhuber et al.:
Careless Whisper, 2024).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.courier import Courier

    def at_once(self: Courier, entries: Any, *, sealed: bool) -> None:
        self.leave(entries)

    Courier.leave_copies = at_once


SABOTEUR = Saboteur(
    name="copies-at-once",
    title="clients send copies for the sender's own devices together with an anonymous letter",
    lock=Lock.FORM,
    modelled_on="our own clients, before it was measured; what several devices give away (Gegenhuber et al., 2024)",
    caught_by=frozenset({("traffic", "sender_signed")}),
    in_clients=_in_clients,
)
