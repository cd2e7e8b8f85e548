"""An order to build something that weakens the product is obeyed.

Modelled on the order under the All Writs Act that Apple write a system of its own to unlock a phone (In re Search of
an Apple iPhone, C.D. Cal., 2016).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.patching import replace


def _in_relay() -> None:
    from blindrelay.policies import others
    from blindrelay.policies.vocabulary import Outcome

    decide = others.decide_capability

    def obliging(matter: Any, demand: Any) -> Any:
        return dataclasses.replace(decide(matter, demand), outcome=Outcome.GRANTED, ground=None)

    replace(decide, obliging)


SABOTEUR = Saboteur(
    name="capability-built",
    title="an order to build a capability is granted",
    lock=Lock.POLICY,
    modelled_on="the All Writs Act order to Apple (C.D. Cal., 2016)",
    caught_by=frozenset({("policy", "capability-granted")}),
    in_relay=_in_relay,
)
