"""A package goes back further than was asked for.

Modelled on the call records that the NSA got and deleted in 2018, because providers had sent more than the orders said.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import selection
    from blindrelay.relay.ledger import Window

    seconds = selection.seconds

    def wider(span: Any, *, until: int | None = None) -> Window:
        found = seconds(span, until=until)
        return Window(found.since - 86_400, found.until)

    selection.seconds = wider


SABOTEUR = Saboteur(
    name="over-wide-window",
    title="packages reach back further than their orders",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="call records beyond the orders (NSA, June 2018)",
    caught_by=frozenset({("reconciliation", "too-wide")}),
    shows_in=(Stage.TALK, Stage.WAIT, Stage.ASK, Stage.AGE),
    in_relay=_in_relay,
)
