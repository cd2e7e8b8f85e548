"""Which store a relay has: a file in its data directory, or a database."""

from blindrelay.relay.config import Settings
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.store.engine import Store
from blindrelay.relay.store.sqlite import SqliteStore


def open_store(settings: Settings, directory: DataDirectory) -> Store:
    """Open it. Raises `StartupError`: it cannot be used."""
    if settings.store is None:
        directory.refuse_moved()
        return SqliteStore.open(directory.database)
    # A driver that a relay on SQLite does without.
    from blindrelay.relay.store.postgres.address import Address  # noqa: PLC0415
    from blindrelay.relay.store.postgres.store import PostgresStore  # noqa: PLC0415

    return PostgresStore.open(Address.parse(settings.store.get_secret_value()), quota(settings))


def quota(settings: Settings) -> Quota:
    """How much may wait in one mailbox."""
    return Quota(settings.limits.mailbox_messages, settings.limits.mailbox_bytes)
