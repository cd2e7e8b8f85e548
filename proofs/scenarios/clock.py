"""A clock that is moved by hand, and never back."""

from datetime import UTC, datetime


class VirtualClock:
    """The clock of a scenario. It stands still while things happen: what takes real time takes none in the scenario."""

    def __init__(self, start: datetime) -> None:
        self._at = start.timestamp()

    def now(self) -> float:
        """Epoch seconds."""
        return self._at

    def monotonic(self) -> float:
        """The same number: nobody sets this clock back."""
        return self._at

    @property
    def moment(self) -> datetime:
        """The same as a date, in UTC."""
        return datetime.fromtimestamp(self._at, UTC)

    def advance_to(self, moment: datetime) -> None:
        """Move on; raise `ValueError` for a moment that has passed."""
        at = moment.timestamp()
        if at < self._at:
            raise ValueError(f"the clock shows {self.moment.isoformat()} and does not go back to {moment.isoformat()}")
        self._at = at
