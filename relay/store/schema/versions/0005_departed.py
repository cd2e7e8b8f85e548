"""Tenants that have left."""

from alembic import op

from blindrelay.relay.store.schema.scripts import run

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table that remembers their names."""
    connection = op.get_bind()
    run(connection, f"0005_{connection.dialect.name}.sql")
