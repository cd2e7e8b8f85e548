"""A node in the database: its row, its locks, and the one connection that both live and die with.

Who holds a lock is for PostgreSQL to say: a session's advisory locks are given back when the session ends, however it ends.
So there is no heartbeat, no lease and no clock in any of this. What is held:

- the node's name, so that there is one of it;
- its number, by which the others see that it is alive. Each start has a number of its own;
- the lead, at one node: it does what is to be done once (`Duties`).

When the connection is lost, the node stops leading in the same moment, and what it had begun is stopped before another thing
is done. Another node may have the lead by then: what would do harm twice is compared and set in the row that it changes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import psycopg
import structlog

from blindrelay.relay.errors import NodeNameTaken, OfficeTaken, StartupError, StoreUnreachable

#: The first number of this program's advisory locks; the second says what it is about.
_NAMES: Final = 1_651_663_968
_NODES: Final = 1_651_663_969
_OTHERS: Final = 1_651_663_970
_LEAD: Final = 0
#: The lawful desk, whose case file is one node's.
DESK: Final = 3
#: 1 is held by whoever notes a change, 2 by batches: see `0002_changes.sql` and `take_batch.sql`.

_CHANNELS: Final = ("blindrelay_change", "blindrelay_log")
# How late the node may find that nobody has told it of a change, that the lead is free, that its connection is dead. Seconds.
INTERVAL: Final = 0.5
_PATIENCE: Final = 2.0
# How long a node waits for its own name: what a predecessor held that lost its network is given back by then. Seconds.
_NAME_PATIENCE: Final = 15.0

# A connection whose other end is gone is found by both ends within some seconds.
_CLIENT: Final = {
    "connect_timeout": 3,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}
_SERVER: Final = "SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3"

#: The numbers of the nodes that are alive, as a subquery with the column `id`.
LIVE: Final = (
    f"SELECT objid::bigint AS id FROM pg_locks WHERE locktype = 'advisory' AND classid = {_NODES} AND objsubid = 2 AND granted "  # noqa: S608
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

_log = structlog.get_logger()


class Duties(Protocol):
    """What one node does for all of them."""

    async def take_up(self) -> None:
        """This node leads. May be cancelled."""

    async def lay_down(self) -> None:
        """It does not any more: stop, and wait for nothing that another node may have to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the node is to be: the database (a connection string, which may hold a password), and the node's name."""

    database: str
    name: str

    def __repr__(self) -> str:
        return f"Place(name={self.name!r})"


class Presence:
    """A node that is there. Use `join`, then `start`; `leave` when done.

    Attributes:
        number: of this start of the node.
        is_here: whether its connection lives, as far as anybody knows.
        is_leading: whether it has the lead.
    """

    number: int = 0

    def __init__(self, place: Place, *, failed: Callable[[StartupError], None]) -> None:
        self.is_here = False
        self.is_leading = False
        self._place = place
        self._look: Callable[[], Awaitable[None]]
        self._failed = failed
        self._duties: Duties | None = None
        self._at_work: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._backend = 0
        self._held: list[int] = []
        self._task: asyncio.Task[None] | None = None

    async def join(self, now: int) -> Self:
        """Take the name, and a number. `now`: epoch seconds.

        Raises:
            NodeNameTaken: another node that is alive has this name.
            StoreUnreachable: the database does not answer.
        """
        try:
            async with self._connecting() as connection:
                await self._take_name(connection)
                row = await connection.execute(
                    "INSERT INTO node (name, started_at) VALUES (%s, %s) RETURNING id", (self._place.name, now)
                )
                self.number = int((await row.fetchone() or (0,))[0])
                await self._enter(connection)
        except psycopg.Error as error:
            raise StoreUnreachable(f"the database cannot be reached: {type(error).__name__}") from None
        return self

    async def hold(self, what: int) -> bool:
        """Hold another lock for as long as the node is there; False: another node has it. Before `start` alone."""
        if self._connection is None or not await _try_lock(self._connection, f"{_OTHERS}, %s", what):
            return False
        self._held.append(what)
        return True

    def start(self, look: Callable[[], Awaitable[None]], duties: Duties) -> None:
        """Do `duties` whenever this node leads, and `look` whenever something may have changed or been published."""
        self._look, self._duties = look, duties
        self._task = asyncio.create_task(self._stay())

    async def rest(self) -> None:
        """Lay down what one node does, so that another takes it up, and look at nothing any more. The node is still there."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        was_leading = self.is_leading
        await self._stop_leading()
        if was_leading and self._connection is not None:
            with contextlib.suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._connection.execute(f"SELECT pg_advisory_unlock({_OTHERS}, {_LEAD})")

    async def leave(self) -> None:
        """`rest`, and go: the others see it at once."""
        await self.rest()
        await self._disconnect()

    @contextlib.asynccontextmanager
    async def _connecting(self) -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
        """A new connection, which stays open unless what is done with it here fails or is cancelled."""
        options: dict[str, Any] = {**_CLIENT, "application_name": f"blindrelay {self._place.name}"}
        async with asyncio.timeout(2 * _PATIENCE):
            connection = await psycopg.AsyncConnection.connect(self._place.database, autocommit=True, **options)
        try:
            await connection.execute(_SERVER)
            yield connection
        except BaseException:
            await connection.close()
            raise

    async def _take_name(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        try:
            async with asyncio.timeout(_NAME_PATIENCE):
                # It is the database that is waited for: there is no event.
                while not await _try_lock(connection, f"{_NAMES}, hashtext(%s)", self._place.name):  # noqa: ASYNC110
                    await asyncio.sleep(INTERVAL)
        except TimeoutError:
            raise NodeNameTaken(
                f"a node called {self._place.name} is running on this database: stop that one, or give this one another name "
                "(--node)"
            ) from None

    async def _enter(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        await connection.execute(f"SELECT pg_advisory_lock({_NODES}, %s)", (self.number,))
        for channel in _CHANNELS:
            await connection.execute(f"LISTEN {channel}")
        self._backend = connection.info.backend_pid
        self._connection = connection
        self.is_here = True

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self.is_here = False
        if connection is not None:
            await connection.close()

    # As long as the node runs.

    async def _stay(self) -> None:
        while True:
            try:
                if self._connection is None:
                    await self._return()
                await self._be_here()
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("the node's connection to the database is lost", error=type(error).__name__)
            except StartupError as error:
                self._failed(error)
                return
            await self._stop_leading()
            await self._disconnect()
            await asyncio.sleep(INTERVAL)

    async def _return(self) -> None:
        """Come back under the same number. What the database has kept of the connection that is lost is in our own way."""
        async with self._connecting() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND application_name = %s",
                (self._backend, f"blindrelay {self._place.name}"),
            )
            await self._take_name(connection)
            for what in self._held:
                if not await _try_lock(connection, f"{_OTHERS}, %s", what):
                    raise OfficeTaken("another node does by now what this one did for all: stop one of them")
            await self._enter(connection)
        _log.info("the node is back in the database")

    async def _be_here(self) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101 - `_stay` has seen to it
        while True:
            async with asyncio.timeout(_PATIENCE):
                await connection.execute("SELECT 1")
                await self._look()
                if not self.is_leading and await _try_lock(connection, f"{_OTHERS}, %s", _LEAD):
                    self._start_leading()
            # The end of the connection ends the wait at once, too.
            async for _ in connection.notifies(timeout=INTERVAL, stop_after=1):
                pass

    # The lead.

    def _start_leading(self) -> None:
        self.is_leading = True
        _log.info("this node leads")
        if self._duties is not None:
            self._at_work = asyncio.create_task(self._duties.take_up())

    async def _stop_leading(self) -> None:
        if not self.is_leading:
            return
        self.is_leading = False
        _log.info("this node does not lead any more")
        if self._at_work is not None:
            self._at_work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._at_work
        if self._duties is not None:
            await self._duties.lay_down()


async def _try_lock(connection: "psycopg.AsyncConnection[Any]", which: str, value: object) -> bool:
    row = await (await connection.execute(f"SELECT pg_try_advisory_lock({which})", (value,))).fetchone()
    return bool(row and row[0])
