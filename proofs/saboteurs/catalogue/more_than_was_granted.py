"""A package holds records of every class, whatever was granted.

Modelled on hand-over by the account and not by the order: providers that send "the whole file" (US Department of
Justice, Office of the Inspector General: A Review of the FBI's Use of National Security Letters, 2007, on what came
unasked).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies.vocabulary import METADATA
    from blindrelay.relay.desk import package

    select = package.select_demand

    def everything(decision: Any, reader: Any, made_at: float) -> Any:
        found = select(decision, reader, made_at)
        given = found.classes[0]
        return dataclasses.replace(
            found, classes=tuple(dataclasses.replace(given, data_class=each) for each in sorted(METADATA))
        )

    package.select_demand = everything


SABOTEUR = Saboteur(
    name="more-than-was-granted",
    title="packages have records of classes that were refused",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="records beyond the letter (OIG: National Security Letters, 2007)",
    caught_by=frozenset({("reconciliation", "not-granted")}),
    in_relay=_in_relay,
)
