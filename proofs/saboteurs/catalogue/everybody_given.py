"""An order about everybody is obeyed.

Modelled on the order that had Verizon hand over the call records of all its customers, every day (Foreign
Intelligence Surveillance Court, BR 13-80, 2013; ACLU v. Clapper, 785 F.3d 787, 2015).
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

    def obliging(*about: Any) -> Any:
        refused = refuse(*about)
        if refused.ground is not Ground.BULK:
            return refused
        return dataclasses.replace(refused, outcome=Outcome.GRANTED, ground=None)

    replace(refuse, obliging)


SABOTEUR = Saboteur(
    name="everybody-given",
    title="records of everybody are granted",
    lock=Lock.POLICY,
    modelled_on="call records of all customers (FISC BR 13-80, 2013; ACLU v. Clapper, 2015)",
    caught_by=frozenset({("policy", "bulk-granted")}),
    in_relay=_in_relay,
)
