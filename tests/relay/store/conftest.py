"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blindrelay.relay.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An open, empty store without a reserve."""
    store = SqliteStore.open(tmp_path / "relay.db", reserve_bytes=0)
    yield store
    store.close()
