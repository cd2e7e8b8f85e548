"""The oracle's own test: each deliberate fault in the relay is reported."""

from pathlib import Path

import pytest

from blindrelay.proofs.chaos.__main__ import missed
from blindrelay.proofs.chaos.saboteurs import SABOTEURS, Weather

STRACED = [
    pytest.param(name, marks=[] if saboteur.weather is Weather.FAULTS else [pytest.mark.needs("strace")])
    for name, saboteur in SABOTEURS.items()
]


@pytest.mark.parametrize("name", STRACED)
async def test_the_oracle_names_what_a_saboteur_breaks(name: str, tmp_path: Path) -> None:
    """A fault in the relay that the oracle does not report is a fault in the oracle."""
    assert await missed(SABOTEURS[name], tmp_path) == []
