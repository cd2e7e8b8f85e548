"""What a run is to be: drawn from its seed before it begins."""

import pytest

from blindrelay.proofs.chaos.matrix.faults import FAULTS, POSTGRESQL, SQLITE
from blindrelay.proofs.chaos.matrix.matrix import possible
from blindrelay.proofs.chaos.matrix.plan import Plan


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_seed_draws_the_same_again(name: str) -> None:
    """So a failure can be had again."""
    assert Plan(FAULTS[name], 7).blows == Plan(FAULTS[name], 7).blows
    assert Plan(FAULTS[name], 7).blows != Plan(FAULTS[name], 8).blows


@pytest.mark.parametrize("name", list(FAULTS))
def test_every_run_has_a_blow_under_load(name: str) -> None:
    """Within the load, and as long as the fault says."""
    fault = FAULTS[name]
    shortest, longest = fault.length
    for seed in range(20):
        blows = Plan(fault, seed).blows
        assert blows
        assert all(0 < blow.at < 8.0 and shortest <= blow.length <= longest for blow in blows)


def test_what_lasts_for_the_whole_run_begins_once() -> None:
    """It does not end either."""
    assert all(len(Plan(FAULTS["wake-ups-lost"], seed).blows) == 1 for seed in range(20))


def test_an_embedded_relay_has_no_servers_to_be_killed() -> None:
    """What is about PostgreSQL and NATS is for several nodes; those can have every fault."""
    assert {fault.name for fault in possible(POSTGRESQL)} == set(FAULTS)
    assert not {"database-killed", "nats-killed", "nodes-partitioned"} & {fault.name for fault in possible(SQLITE)}
