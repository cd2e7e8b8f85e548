"""The oracle's own test: each deliberate fault in the relay is reported."""

from pathlib import Path

import pytest

from blindrelay.proofs.chaos.__main__ import missed
from blindrelay.proofs.chaos.saboteurs import SABOTEURS, Weather

NEEDS = {Weather.FAULTS: (), Weather.NODES: ("initdb", "nats-server")}
NAMES = [
    pytest.param(name, marks=[pytest.mark.needs(*NEEDS.get(saboteur.weather, ("strace",)))])
    for name, saboteur in SABOTEURS.items()
]


@pytest.mark.parametrize("name", NAMES)
async def test_the_oracle_names_what_a_saboteur_breaks(name: str, tmp_path: Path) -> None:
    """A fault in the relay that the oracle does not report is a fault in the oracle."""
    assert await missed(SABOTEURS[name], tmp_path) == []
