"""INSERT ... ON CONFLICT, which both engines have and SQLAlchemy has once for each."""

from typing import Any

import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_ignore(connection: sqlalchemy.Connection, table: sqlalchemy.Table) -> Any:
    """An INSERT that does nothing where a row with one of its keys is there."""
    return _insert(connection, table).on_conflict_do_nothing()


def insert_or_update(
    connection: sqlalchemy.Connection, table: sqlalchemy.Table, values: dict[str, Any], changed: dict[str, Any]
) -> None:
    """Insert `values`; where the primary key is there, make `changed` of the row that has it."""
    statement = _insert(connection, table).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed))


def _insert(connection: sqlalchemy.Connection, table: sqlalchemy.Table) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
