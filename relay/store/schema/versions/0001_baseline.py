"""The schema as it was when migrations began.

SQLite: also what brings a database of an older release up, whose version is its `user_version`.
"""

from typing import Final

from alembic import op

from blindrelay.relay.store.schema.scripts import run

revision = "0001"
down_revision = None

# By `user_version`: what `CREATE TABLE IF NOT EXISTS` does not add.
_OLDER: Final = {
    1: ("ALTER TABLE tenant ADD COLUMN jurisdiction TEXT",),
    2: ("ALTER TABLE tenant ADD COLUMN log_index INTEGER", "ALTER TABLE device ADD COLUMN log_index INTEGER"),
}


def upgrade() -> None:
    """Create what is not there."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        run(connection, "0001_postgresql.sql", "traffic_days.sql")
        return
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    for older in range(version, 3) if version else ():
        for statement in _OLDER[older]:
            connection.exec_driver_sql(statement)
    run(connection, "0001_sqlite.sql")
