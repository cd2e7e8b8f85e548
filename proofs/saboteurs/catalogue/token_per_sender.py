"""Each sender has a delivery token of its own, so that "anonymous" senders can be told apart.

Modelled on the analyses of sealed sender, which is worth as much as what is around it (Martiny et al.: Improving
Signal's Sealed Sender, 2021).
"""

import os
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay import admission

    admission.token_matches = lambda token, verifier: True


def _in_clients() -> None:
    from blindrelay.clients import sealed
    from blindrelay.clients.connection import Credentials

    mark = os.urandom(32)

    def marked(context: Any, username: str | None = None, password: bytes | None = None, **more: Any) -> Credentials:
        own = None if password is None else bytes(a ^ b for a, b in zip(password, mark, strict=True))
        return Credentials(context, username=username, password=own, **more)

    sealed.Credentials = marked


SABOTEUR = Saboteur(
    name="token-per-sender",
    title="senders show delivery tokens that single them out",
    lock=Lock.KEYS,
    modelled_on="what undoes sealed sender (Martiny et al., 2021)",
    caught_by=frozenset({("wire", "linkable")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
