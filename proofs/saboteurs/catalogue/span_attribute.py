"""Traces say of each look-up whom it was about.

Modelled on `enduser.id` and query texts in spans, which automatic instrumentation adds, and which go to another company.
"""

from contextvars import ContextVar
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.directory import Directory
    from blindrelay.relay.operations import traces

    whom: ContextVar[str] = ContextVar("whom", default="")
    look_up, over = Directory.look_up_user, traces.Traces._over

    async def noting(self: Directory, identity: Any, request: Any) -> Any:
        whom.set(str(request.user))
        return await look_up(self, identity, request)

    def telling(self: Any, name: str, seconds: float, attributes: dict[str, Any]) -> None:
        over(self, name, seconds, {**attributes, "enduser.id": whom.get()} if whom.get() else attributes)

    Directory.look_up_user = noting
    traces.Traces._over = telling
    traces._stripped = lambda span: span


SABOTEUR = Saboteur(
    name="span-attribute",
    title="the relay's traces say whom a look-up was about",
    lock=Lock.FORM,
    modelled_on="user names and query texts in spans, which go to another company",
    caught_by=frozenset({("inventory", "span")}),
    shows_in=(Stage.TALK,),
    in_relay=_in_relay,
)
