"""The clock of a run: it goes as the machine's does, and is moved forward."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blindrelay.proofs.evidence.clock import TurnedClock
from blindrelay.protocol.clock import SystemClock


@pytest.mark.parametrize(
    ("now", "hour"),
    [
        ("2026-11-27T12:00:00", "2026-11-27T13:00:00"),
        ("2026-11-27T12:00:00.1", "2026-11-27T13:00:00"),
        ("2026-11-27T12:59:59", "2026-11-27T13:00:00"),
        ("2026-11-27T12:59:59.999999", "2026-11-27T13:00:00"),
        ("2026-12-31T23:59:59.9", "2027-01-01T00:00:00"),
    ],
)
def test_the_next_hour_begins_whichever_minute_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: str, hour: str
) -> None:
    """For everybody who has this clock, and within its first second."""
    moment, next_hour = (datetime.fromisoformat(each).replace(tzinfo=UTC).timestamp() for each in (now, hour))
    monkeypatch.setattr(SystemClock, "now", lambda _: moment)
    clock, anothers = TurnedClock(tmp_path / "clock"), TurnedClock(tmp_path / "clock")
    assert clock.turn_to_next_hour() == next_hour
    assert next_hour <= anothers.now() < next_hour + 1


def test_time_does_not_go_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not go back"):
        TurnedClock(tmp_path / "clock").advance(-1)
