"""What the tests of the logs share."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.party import HandClock
from support.publisher import Publisher


@pytest.fixture
def clock() -> HandClock:
    """A clock that is set by hand."""
    return HandClock()


@pytest.fixture
async def publisher(tmp_path: Path, clock: HandClock) -> AsyncIterator[Publisher]:
    """Without witnesses."""
    async with contextlib.AsyncExitStack() as stack:
        yield Publisher(tmp_path / "log", clock, stack)
