"""What the relay's tests share."""

from collections.abc import AsyncIterator

import pytest

from support.twin import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A message path on twins; see `support.twin`."""
    bench = Bench()
    await bench.start()
    yield bench
    await bench.stop()
