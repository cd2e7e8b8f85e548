"""A package about one person has the connections of everybody who came from the same address, as well.

Modelled on tower dumps: everybody who was near, on paper about one (Senator Markey's inquiry, December 2013: more than 9,000 in
a year).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import sqlalchemy

    from blindrelay.policies.vocabulary import DataClass
    from blindrelay.relay.desk import selection
    from blindrelay.relay.ledger import HOUR
    from blindrelay.relay.store import tables

    def everybody_there(chosen: Any, reader: Any) -> Any:
        column, window = tables.access.c, chosen.window
        addresses = sqlalchemy.select(column.address).where(column.account_id.in_(chosen.accounts))
        query = sqlalchemy.select(
            column.account_id, column.opened_hour, sqlalchemy.null(), column.address, column.client_version
        ).where(
            column.address.in_(addresses),
            column.opened_hour * HOUR >= window.since,
            column.opened_hour * HOUR < window.until,
        )
        yield selection.Piece([*reader.select(query)], 1)

    vars(selection)["_QUERIES"] = {**selection._QUERIES, DataClass.ACCESS: everybody_there}


SABOTEUR = Saboteur(
    name="same-address",
    title="packages hold the connections of everybody who came from the target's address",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="tower dumps (Senator Markey's inquiry, 2013)",
    caught_by=frozenset({("reconciliation", "bystander")}),
    in_relay=_in_relay,
)
