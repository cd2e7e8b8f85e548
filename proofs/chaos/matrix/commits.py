"""Cutting a database connection inside a COMMIT: it was asked for, and nobody ever hears what became of it.

A node commits in two ways: by the word, and with every batch of messages, which is one call that commits by itself. Both
are seen on the wire (PostgreSQL's protocol, version 3) without understanding more of it than this.
"""

import random
from typing import Final

from blindrelay.proofs.chaos.proxy import Cut

_COMMIT: Final = b"COMMIT"
_BATCH: Final = b"take_batch("
# The end of what belongs to one call: nothing is carried out, and nothing is committed, before it.
_SYNC: Final = b"S\x00\x00\x00\x04"


class CommitCutter:
    """A `proxy.Watch` that ends connections in one of so many commits, `times` times.

    Args:
        chance: which of them, and on which side of it.
        times: how often.
    """

    def __init__(self, chance: random.Random, times: int) -> None:
        self._chance = chance
        self._left = times
        self._wait = 0
        self._batches: set[int] = set()
        self.cuts: list[Cut] = []

    def __call__(self, connection: int, said: bytes) -> Cut | None:
        """See `proxy.Watch`."""
        if _BATCH in said:
            self._batches.add(connection)
        if not self._left or not self._is_commit(connection, said):
            return None
        self._wait -= 1
        if self._wait >= 0:
            return None
        self._left -= 1
        self._wait = self._chance.randrange(6)
        cut = Cut.AFTER if self._chance.random() < 0.7 else Cut.WITHIN
        self.cuts.append(cut)
        return cut

    def _is_commit(self, connection: int, said: bytes) -> bool:
        return _COMMIT in said or (connection in self._batches and said.endswith(_SYNC))
