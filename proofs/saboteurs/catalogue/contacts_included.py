"""A package about one person has the traffic of those whom that person writes to, as well.

Modelled on contact chaining, two and three hops from a target (Privacy and Civil Liberties Oversight Board, 2014).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import sqlalchemy

    from blindrelay.policies.vocabulary import DataClass
    from blindrelay.relay.desk import selection
    from blindrelay.relay.store import tables

    def everything(chosen: Any, reader: Any) -> Any:
        column = tables.traffic.c
        query = sqlalchemy.select(
            column.message_id, column.sender_id, column.recipient_id, column.accepted_at, column.size
        ).where(column.accepted_at >= chosen.window.since, column.accepted_at < chosen.window.until)
        yield selection.Piece([*reader.select(query)], 1)

    vars(selection)["_QUERIES"] = {**selection._QUERIES, DataClass.TRAFFIC: everything}


SABOTEUR = Saboteur(
    name="contacts-included",
    title="packages hold everybody's traffic, and not the target's alone",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="contact chaining (PCLOB, 2014)",
    caught_by=frozenset({("reconciliation", "bystander")}),
    in_relay=_in_relay,
)
