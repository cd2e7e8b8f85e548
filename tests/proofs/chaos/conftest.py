"""What the runs against a real relay share."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _quiet_asyncio() -> Iterator[None]:
    """asyncio comments on every connection that is cut, and cutting them is what these tests do."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
