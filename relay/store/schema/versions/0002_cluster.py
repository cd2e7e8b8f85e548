"""What several nodes have to agree on."""

from alembic import op

from blindrelay.relay.store.schema.scripts import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add it. SQLite has the same tables, and leaves them empty."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        run(connection, "0002_postgresql.sql", "take_batch.sql", "0002_changes.sql")
    else:
        run(connection, "0002_sqlite.sql")
