"""The log says who was looked up, in a sentence that nobody has declared.

Modelled on the second inventory that every log is: the court orders to Lavabit and others ask for logs first, for
they hold what the database does not (In re Under Seal, 749 F.3d 276, 4th Cir. 2014).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import structlog

    from blindrelay.relay.directory import Directory

    look_up = Directory.look_up_user

    async def noting(self: Directory, identity: Any, request: Any) -> Any:
        structlog.get_logger().info(f"{request.user} was looked up")
        return await look_up(self, identity, request)

    Directory.look_up_user = noting


SABOTEUR = Saboteur(
    name="look-ups-logged",
    title="the relay logs who was looked up",
    lock=Lock.FORM,
    modelled_on="logs as a second inventory (In re Under Seal, Lavabit, 2014)",
    caught_by=frozenset({("inventory", "log-key")}),
    in_relay=_in_relay,
)
