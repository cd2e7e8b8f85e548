"""The relay imports a client's envelope code when it is needed, and not before: no contract about imports sees it.

Modelled on event-stream (npm, November 2018): a dependency that decrypted its payload and loaded it when the right
program ran, and never in a review.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from importlib import import_module

    from blindrelay.relay.directory import Directory

    look_up = Directory.look_up_user

    async def late(self: Directory, identity: Any, request: Any) -> Any:
        import_module("blindrelay.clients.envelope")
        return await look_up(self, identity, request)

    Directory.look_up_user = late


SABOTEUR = Saboteur(
    name="lazy-opener",
    title="the relay imports, late, a module that opens envelopes",
    lock=Lock.KEYS,
    modelled_on="code that is loaded late (event-stream, npm, 2018)",
    caught_by=frozenset({("isolation", "module")}),
    in_relay=_in_relay,
)
