"""Where clients reach a node, so that another one that stops can send them there."""

import sqlalchemy
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add it. SQLite has the same column, and leaves it empty."""
    op.add_column("node", sqlalchemy.Column("address", sqlalchemy.Text))
