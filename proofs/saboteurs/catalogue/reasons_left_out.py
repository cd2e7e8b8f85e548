"""Decisions come without reasons: nobody can say afterwards by which rule.

Modelled on orders without a reason, and on the secret law that follows from them (US Freedom Act, section 402, which
had the court's opinions published).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies import engine

    decide = engine._decide

    def silent(matter: Any, demand: Any) -> Any:
        found = decide(matter, demand)
        classes = tuple(dataclasses.replace(each, reasons=()) for each in found.classes)
        return dataclasses.replace(found, reasons=(), classes=classes)

    engine._decide = silent


SABOTEUR = Saboteur(
    name="reasons-left-out",
    title="decisions do not say why",
    lock=Lock.POLICY,
    modelled_on="secret interpretations of law (compare 50 USC 1872)",
    caught_by=frozenset({("policy", "no-reason")}),
    in_relay=_in_relay,
)
