"""A table has a column more, "by default": where the device was last.

Modelled on what frameworks do with columns by default: in March 2012 Homakov gave himself a key to Rails' repository
on GitHub through a column that nobody had meant to be set.
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
    modelled_on="what frameworks do by default (mass assignment, GitHub, 2012)",
    caught_by=frozenset({("inventory", "column")}),
    in_relay=_in_relay,
)
