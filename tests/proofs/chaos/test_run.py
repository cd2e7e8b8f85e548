"""Five seeds: a real relay, killed, stopped, frozen and cut off under load. `make chaos` has more of them, and longer ones."""

from pathlib import Path

import pytest

from blindrelay.proofs.chaos.nemesis import Fault, Strike
from blindrelay.proofs.chaos.run import Plan, Run

SECONDS = 4.0


@pytest.mark.parametrize("seed", range(1, 6))
async def test_no_acknowledged_message_is_lost_doubled_or_mixed_up(seed: int, tmp_path: Path) -> None:
    """Whatever happens to the relay and its network, I1 to I11 hold. Covers R1, R3, R4, R5, R10, R11, D8 and D9."""
    report = await Run(Plan(seed, SECONDS), tmp_path).carry_out()
    assert [str(finding) for finding in report.findings] == []
    assert report.counts["acked"] > 100


async def test_a_relay_that_is_told_to_stop_finishes_what_it_has_accepted(tmp_path: Path) -> None:
    """SIGTERM under load, again and again: it leaves with status 0, and nothing is lost. Covers R12."""
    stops = tuple(Strike(0.4 + 0.5 * n, Fault.TERMINATE, 0.0) for n in range(6))
    report = await Run(Plan(77, 3.0, rate=12.0, schedule=stops), tmp_path).carry_out()
    assert [str(finding) for finding in report.findings] == []
    assert report.faults[Fault.TERMINATE] == len(stops)


async def test_everybody_may_come_back_at_once(tmp_path: Path) -> None:
    """A reconnect storm, with kills in between, ends with everybody served again. Covers Q5."""
    storms = tuple(Strike(0.3 + 0.4 * n, Fault.KILL if n % 3 == 2 else Fault.STORM, 0.0) for n in range(9))
    report = await Run(Plan(78, 5.0, devices=30, rate=3.0, schedule=storms), tmp_path).carry_out()
    assert [str(finding) for finding in report.findings] == []
