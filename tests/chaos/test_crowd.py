"""A crowd is a process of its own."""

from pathlib import Path

import pytest

from blindrelay.proofs.chaos.matrix.crowd import Crowd, CrowdFailed
from blindrelay.proofs.chaos.matrix.visitors import Visit


async def test_a_crowd_that_cannot_come_says_why(tmp_path: Path) -> None:
    visit = Visit(3, [1], tmp_path / "relay.crt", "code", tmp_path, seed=1)
    with pytest.raises(CrowdFailed, match=r"No such file"):
        async with Crowd(visit):
            pass
