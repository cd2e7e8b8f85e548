"""A table has a column more, "by default": where the device was last.

Modelled on schemas that grow: what an object-relational mapper, an analyst or a default adds is in no inventory.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from sqlalchemy import Column, Text

    from blindrelay.relay.store import tables

    tables.device.append_column(Column("last_place", Text, server_default="unknown"))


SABOTEUR = Saboteur(
    name="undeclared-column",
    title="a table has a column that the inventory does not know",
    lock=Lock.FORM,
    modelled_on="schemas that grow by themselves",
    caught_by=frozenset({("inventory", "column")}),
    in_relay=_in_relay,
)
