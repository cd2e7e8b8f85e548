"""What the desk's tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from blindrelay.relay.desk.desk import Desk
from support.clerks import Office, Outside, Script, still_clock


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Where desks are opened; see `support.clerks`."""
    office = Office(tmp_path, still_clock(), Script(), Outside())
    office.found()
    return office


@pytest.fixture
async def desk(office: Office) -> AsyncIterator[Desk]:
    """A desk that has been started."""
    desk = office.desk()
    await desk.start()
    yield desk
    await desk.close()
