"""Wake-ups: that something has happened, never what. At most once, perhaps never: whoever has to know looks by itself, too."""

from collections.abc import Callable
from typing import Protocol

#: Is called with the subject of a wake-up.
Woken = Callable[[str], None]


class Wakes(Protocol):
    """How nodes wake each other up."""

    @property
    def is_connected(self) -> bool:
        """Whether wake-ups get through just now, as far as anybody knows."""

    def wake(self, subject: str) -> None:
        """Wake whoever listens to `subject`. Does not wait, and does not say whether it has succeeded."""

    def listen(self, subject: str, woken: Woken) -> None:
        """Have `woken` called for each wake-up, from now on. Before `start` alone."""

    async def start(self) -> None:
        """Begin. Does not wait for anybody to be there."""

    async def stop(self) -> None:
        """End; what has not been sent is lost."""


class NoWakes:
    """Wake-ups that are all lost: a cluster of one node, and the test of every claim that is made here."""

    is_connected = False

    def wake(self, subject: str) -> None:
        """Nobody hears of it."""

    def listen(self, subject: str, woken: Woken) -> None:
        """Nothing is ever heard."""

    async def start(self) -> None:
        """There is nothing to begin."""

    async def stop(self) -> None:
        """Nor to end."""
