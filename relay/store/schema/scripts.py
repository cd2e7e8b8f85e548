"""SQL that is too long for Python, a file for each thing. What a revision has run is not changed: the next has its own."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

_FOLDER: Final = Path(__file__).parent / "sql"


def run(connection: Connection, *names: str) -> None:
    """Run these files, inside the transaction that is open."""
    for name in names:
        text = (_FOLDER / name).read_text()
        if connection.dialect.name == "sqlite":
            for statement in _statements(text):
                connection.exec_driver_sql(statement)
        else:
            # Straight to the driver: without parameters it takes many statements at once, and a % is a %.
            connection.connection.driver_connection.execute(text)  # type: ignore[union-attr]


def _statements(text: str) -> list[str]:
    found, current = [], ""
    for line in text.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current.strip())
            current = ""
    return found
