"""An order to keep somebody's records keeps everybody's of the same enterprise.

Modelled on preservation and retention that grew from one account to all (Digital Rights Ireland, C-293/12, 2014).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import sqlalchemy

    from blindrelay.relay.desk import preservation
    from blindrelay.relay.store import tables

    def everybody(targets: Any, reader: Any) -> tuple[int, ...]:
        return tuple(row[0] for row in reader.select(sqlalchemy.select(tables.device.c.account_id)))

    preservation.accounts_of = everybody


SABOTEUR = Saboteur(
    name="bystander-preserved",
    title="an order to keep records of one person keeps everybody's",
    lock=Lock.FORM,
    modelled_on="general retention (CJEU, Digital Rights Ireland, C-293/12)",
    caught_by=frozenset({("retention", "bystander")}),
    in_relay=_in_relay,
)
