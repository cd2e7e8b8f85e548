"""The doors of a desk, with nobody behind them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.doors import Site, doors_in
from support.party import HandClock


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture
async def site(tmp_path: Path, clock: HandClock) -> AsyncIterator[Site]:
    """Doors with nobody behind them."""
    async with doors_in(tmp_path, clock) as site:
        yield site
