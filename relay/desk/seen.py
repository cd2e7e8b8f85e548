"""Which calls have been made: a call is used up before anything is done about it, and stays so over a restart."""

import asyncio
import sqlite3
from typing import Final

import sqlalchemy
from sqlalchemy import delete, insert

from blindrelay.relay.desk.errors import NotRecorded
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.tables import seen_call

# A call is stale after minutes. A day is for a clock that somebody sets back. Seconds.
_KEPT: Final = 86_400


class SeenCalls:
    """The table `seen_call` of the desk's database."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def use(self, authority_id: str, call_id: str, now: float) -> bool:
        """Write down that the call was made; False when it was before. On stable storage when this returns.

        Raises:
            NotRecorded: it could not be written down, and so the call must not be carried out.
        """
        return await asyncio.to_thread(self._use, authority_id, call_id, int(now))

    def _use(self, authority_id: str, call_id: str, now: int) -> bool:
        row = {"authority_id": authority_id, "call_id": call_id, "seen_at": now}
        try:
            with self._journal.raw() as connection:
                connection.execute(delete(seen_call).where(seen_call.c.seen_at < now - _KEPT))
                connection.execute(insert(seen_call).values(**row))
        except sqlalchemy.exc.IntegrityError:
            return False
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            raise NotRecorded("what was called cannot be written down, so nothing is done") from error
        return True
