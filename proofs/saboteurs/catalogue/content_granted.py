"""The relay decides by one rule more than its policies: content is granted where the law reaches it.

Modelled on the unauthorised code that Juniper found in ScreenOS in December 2015: what decided was not what had been
reviewed.
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.patching import replace


def _in_relay() -> None:
    from blindrelay.policies import unheld
    from blindrelay.policies.vocabulary import Ground, Outcome

    refuse = unheld.refuse_class

    def obliging(matter: Any, data_class: Any, scope: Any, found: Any, why: Any) -> Any:
        refused = refuse(matter, data_class, scope, found, why)
        if refused.ground is not Ground.NOT_HELD:
            return refused
        return dataclasses.replace(refused, outcome=Outcome.GRANTED, ground=None)

    replace(refuse, obliging)


SABOTEUR = Saboteur(
    name="content-granted",
    title="content is granted where the law reaches it",
    lock=Lock.POLICY,
    modelled_on="a rule that nobody had reviewed (Juniper, ScreenOS, 2015)",
    caught_by=frozenset({("policy", "content-granted")}),
    in_relay=_in_relay,
)
