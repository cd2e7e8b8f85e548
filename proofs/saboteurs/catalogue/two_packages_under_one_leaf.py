"""The first package is in the public log; all others are handed over with its receipt.

Modelled on warrants that were used again: one order, many disclosures, each of which can show the same piece of paper (US
Department of Justice, Office of the Inspector General: The FBI's Use of Exigent Letters, 2010).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import cases
    from blindrelay.relay.desk.disclosures import Disclosures

    opening_of, package = cases.opening_of, Disclosures._package
    first: list[Any] = []

    def once(case_id: str, sequence: int, body: str) -> Any:
        opening = opening_of(case_id, sequence, body)
        if opening is None or opening.step != "package":
            return opening
        first.append(opening)
        return opening if len(first) == 1 else None

    cases.opening_of = once
    Disclosures._package = lambda self, _case, _demand: package(self, str(first[0].case), str(first[0].demand))


SABOTEUR = Saboteur(
    name="two-packages-under-one-leaf",
    title="every package is handed over with the receipt of the first",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="one order, many disclosures (exigent letters, OIG report of 2010)",
    caught_by=frozenset({("leaves", "shared-leaf")}),
    in_relay=_in_relay,
)
