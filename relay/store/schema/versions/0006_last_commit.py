"""What became of a transaction."""

from alembic import op

from blindrelay.relay.store.schema.scripts import run

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table in which each store finds its last transaction."""
    connection = op.get_bind()
    run(connection, f"0006_{connection.dialect.name}.sql")
