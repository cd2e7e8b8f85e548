"""What a desk that came to its end has left of its watching (`connections`): any node forgets it."""

from collections.abc import Callable

import sqlalchemy
from sqlalchemy import Connection

from blindrelay.relay.store import tables


def forget_watches(now: int, before: int) -> Callable[[Connection], None]:
    """Delete the watches of orders that are over at `now`, and what nobody has read since `before`: a desk that came to its end
    has left that. Epoch seconds."""
    watch, event = tables.connection_watch, tables.connection_event

    def write(connection: Connection) -> None:
        connection.execute(sqlalchemy.delete(watch).where(watch.c.until <= now))
        connection.execute(sqlalchemy.delete(event).where(event.c.at < before))

    return write
