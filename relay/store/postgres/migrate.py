"""Making and upgrading the schema of a PostgreSQL database: `blindrelay migrate`."""

from collections.abc import Callable

import sqlalchemy

from blindrelay.relay.errors import StoreUnreachable
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.connections import connect
from blindrelay.relay.store.postgres.errors import FAILURES, sentence
from blindrelay.relay.store.postgres.roles import grant
from blindrelay.relay.store.schema import history

_SETTINGS = {"lock_timeout": "10s", "timezone": "UTC"}


def migrate(address: Address, told: Callable[[history.Step], None] = lambda _: None) -> list[history.Step]:
    """Bring the database at `address` to this release's schema, and say again who may do what. All of it, or nothing.

    Raises `StoreUnreachable`, `NewerVersion`.
    """
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connect(address, _SETTINGS), poolclass=sqlalchemy.NullPool
    )
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('blindrelay migrate'))")
            steps: list[history.Step] = []
            if not history.check(history.revision_of(connection), str(address)):
                steps = history.upgrade(connection, told)
            grant(connection)
            return steps
    except FAILURES as error:
        raise StoreUnreachable(f"{address} cannot be migrated: {sentence(error)}") from error
    finally:
        engine.dispose()
