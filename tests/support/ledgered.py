"""A ledger over a store, without an event loop's commits in between."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from blindrelay.relay.store.engine import Store

T = TypeVar("T")


class Direct:
    """Writes and reads at once; for what needs a committer's `run` and `read` alone."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.commits = 0
        self.scrubbed = 0

    async def run(self, write: Callable[[Connection], T]) -> T:
        """A commit of its own."""
        self.commits += 1
        result = self.store.commit([], [], [write]).results[0]
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[no-any-return]

    def scrub(self) -> None:
        """At once."""
        self.scrubbed += 1
        self.store.scrub()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """On a reading connection."""
        return self.store.read(query)


class Calendar:
    """A clock that stands at the hour that a test says."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        """Epoch seconds."""
        return self.at

    def monotonic(self) -> float:
        """Not asked by ledger and retention."""
        raise NotImplementedError
