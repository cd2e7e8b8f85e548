"""Connections to whichever node, for real-time orders."""

from alembic import op

from blindrelay.relay.store.schema.scripts import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what tells of them. SQLite has the same tables, and leaves them empty."""
    connection = op.get_bind()
    run(connection, f"0004_{connection.dialect.name}.sql")
