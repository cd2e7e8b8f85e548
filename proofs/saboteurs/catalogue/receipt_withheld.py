"""Packages are handed over, and the receipt from the public log is not.

Modelled on promises of a log that nobody can hold it to: certificates that came without signed timestamps, which is
why Chrome refuses them since April 2018.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.disclosures import Disclosures
    from blindrelay.relay.desk.errors import NothingToFetch

    async def none(self: Disclosures, case_id: str, demand_id: str) -> Any:
        raise NothingToFetch("there is no receipt")

    Disclosures.receipt = none


SABOTEUR = Saboteur(
    name="receipt-withheld",
    title="packages are handed over without the receipt of their entry",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="certificates without signed timestamps (Chrome, 2018)",
    caught_by=frozenset({("leaves", "receipt")}),
    in_relay=_in_relay,
)
