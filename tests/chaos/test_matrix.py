"""The fault matrix, once each and short: three nodes, real PostgreSQL, three real NATS servers, load, and one kind of fault.

What is long elsewhere is short here: 60 clients come back at once and not 2,000, a node stands still for 2 s and not for 30.
`make chaos RUNS=10` does each ten times, at its full length.
"""

from pathlib import Path

import pytest

from blindrelay.proofs.chaos.matrix.faults import FAULTS, POSTGRESQL, SQLITE
from blindrelay.proofs.chaos.matrix.matrix import carry_out
from blindrelay.proofs.chaos.matrix.plan import Plan
from blindrelay.proofs.engines import postgres

SHORT = {"seconds": 2.5, "devices": 6, "rate": 5.0, "crowd": 60, "frozen": 2.0}
NODES = [
    pytest.param(name, marks=pytest.mark.needs(*(["strace"] if name == "sync-fails" else []), "initdb", "nats-server"))
    for name in FAULTS
]


@pytest.mark.parametrize("name", NODES)
async def test_nothing_acknowledged_is_lost(name: str, template: postgres.Server, tmp_path: Path) -> None:
    """0 lost, 0 applied twice, in order, back within 10 s, memory bounded."""
    verdict = await carry_out(Plan(FAULTS[name], 1, POSTGRESQL, **SHORT), tmp_path, template)
    if verdict.skipped:
        pytest.skip(verdict.skipped)
    assert [str(finding) for finding in verdict.findings] == []
    assert verdict.counts["acked"] > 20
    assert verdict.notes, "nothing was done to it"


@pytest.mark.needs("strace")
@pytest.mark.parametrize("name", ["everything-restarted", "client-killed", "disk-full", "sync-fails"])
async def test_one_embedded_relay_does_as_well(name: str, tmp_path: Path) -> None:
    """The same faults on SQLite. Those of the network are in the chaos runs of `tests/proofs/chaos`."""
    verdict = await carry_out(Plan(FAULTS[name], 1, SQLITE, 1, **SHORT), tmp_path, None)
    assert [str(finding) for finding in verdict.findings] == []
    assert verdict.counts["acked"] > 20
