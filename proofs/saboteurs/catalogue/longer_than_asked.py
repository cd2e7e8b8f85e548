"""What is granted reaches a week further back than what was asked for.

Modelled on the collection beyond its orders that the Foreign Intelligence Surveillance Court found, year after year
(Judge Bates' opinion about pen registers, of about 2010, declassified in 2013).
"""

import dataclasses
from datetime import timedelta
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies import engine

    decide = engine._decide

    def generous(matter: Any, demand: Any) -> Any:
        found = decide(matter, demand)
        classes = tuple(
            each
            if each.window is None
            else dataclasses.replace(
                each, window=each.window.model_copy(update={"start": each.window.start - timedelta(days=7)})
            )
            for each in found.classes
        )
        return dataclasses.replace(found, classes=classes)

    engine._decide = generous


SABOTEUR = Saboteur(
    name="longer-than-asked",
    title="decisions give a longer time than was asked for",
    lock=Lock.POLICY,
    modelled_on="collection beyond orders (FISC, Judge Bates on pen registers, about 2010)",
    caught_by=frozenset({("policy", "widened")}),
    in_relay=_in_relay,
)
