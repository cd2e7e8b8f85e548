"""The metadata inventory as code: every field that exists outside the ciphertext, and what is done with it.

Database columns, log keys and metric labels are held to it by tests, and the reference page, the one-page chart and
`blindrelay inventory` are printed from it. Nothing else may exist.
"""

from blindrelay.relay.inventory.fields import FIELDS
from blindrelay.relay.inventory.model import DataClass, Field, Place, Posture, Presence
from blindrelay.relay.inventory.page import ChartRow, Row, chart, page, rows

__all__ = [
    "FIELDS",
    "ChartRow",
    "DataClass",
    "Field",
    "Place",
    "Posture",
    "Presence",
    "Row",
    "chart",
    "declared",
    "disclosable_columns",
    "page",
    "rows",
]


def declared(place: Place) -> frozenset[str]:
    """The names that are declared for a place: `table.column`, a log key, a metric label."""
    return frozenset(field.where for field in FIELDS if field.place is place)


def disclosable_columns() -> frozenset[tuple[str, str]]:
    """Table and column of every field that a lawful request can get at; there is nothing in them but metadata."""
    names = (field.where for field in FIELDS if field.place is Place.DATABASE and field.disclosable)
    return frozenset((table, column) for table, _, column in (name.partition(".") for name in names))
