"""What the runs of the fault matrix share: a database to be copied, for each process of the suite."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blindrelay.proofs.chaos.matrix import database
from blindrelay.proofs.engines import postgres


@pytest.fixture(autouse=True)
def _quiet_asyncio() -> Iterator[None]:
    """asyncio comments on every connection that is cut, and cutting them is what these tests do."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def template() -> Iterator[postgres.Server]:
    """A database with the schema in it, stopped. Ask for it where `initdb` is known to be there."""
    # Not below `tmp_path`, which is closed to whom PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        yield database.template(Path(folder))
