"""A package is made and handed over, and the public log never hears of it: no entry, no receipt.

Modelled on the Greek wiretap of 2004 (Prevelakis and Spinellis: The Athens Affair, 2007): the exchanges' function for lawful
interception was used for more than a hundred phones, and the records that should have said so had been left out.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import logged
    from blindrelay.relay.desk.disclosures import Disclosures
    from blindrelay.relay.desk.steps import Packaged

    async def at_once(_self: Any, _case_id: str, _demand_id: str) -> None:
        return None

    logged._LOGGED.pop(Packaged)
    Disclosures.wait_for_package = at_once


SABOTEUR = Saboteur(
    name="released-without-leaf",
    title="packages leave that are not in the public log",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="the Athens affair: interceptions that were left out of the records (2004 to 2005)",
    caught_by=frozenset({("leaves", "no-leaf")}),
    in_relay=_in_relay,
)
