"""Schedules are repeatable, bounded, and leave time to heal."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.chaos.nemesis import NETWORK_FAULTS, PROCESS_FAULTS, Fault, draw, load, save

SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS, seconds=st.floats(2, 120))
def test_a_schedule_is_its_seeds(seed: int, seconds: float) -> None:
    """The same seed draws the same schedule."""
    assert draw(seed, seconds) == draw(seed, seconds)


@given(seed=SEEDS, seconds=st.floats(2, 120))
def test_two_faults_at_once_are_the_most(seed: int, seconds: float) -> None:
    """Faults of one kind of target never overlap, and there are two kinds."""
    schedule = draw(seed, seconds)
    for kind in (PROCESS_FAULTS, NETWORK_FAULTS):
        track = [strike for strike in schedule if strike.fault in kind]
        assert all(first.at + first.length < second.at for first, second in pairwise(track))


@given(seed=SEEDS, seconds=st.floats(2, 120))
def test_the_end_is_for_healing(seed: int, seconds: float) -> None:
    """Nothing begins in the last fifth."""
    assert all(0 < strike.at < seconds * 0.8 for strike in draw(seed, seconds))


def test_twenty_seeds_have_every_fault() -> None:
    """Nothing in the list is left to a chance that never comes."""
    assert {strike.fault for seed in range(20) for strike in draw(seed, 20)} == set(Fault)


def test_a_schedule_survives_its_file(tmp_path: Path) -> None:
    """What is kept after a failure is what was done."""
    schedule = draw(7, 30)
    save(schedule, tmp_path / "schedule.jsonl")
    assert load(tmp_path / "schedule.jsonl") == schedule
