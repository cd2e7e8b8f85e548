"""Mail that one node takes and another delivers: who is woken when something is stored, and who looks without being woken.

The database says at which node a mailbox is read: the batch that stores an envelope looks that up as well. So a node is woken
only for what it delivers. Before a node begins to read it writes down its number: what is stored from then on wakes it, and
what was stored before it finds.

A wake-up may be lost. So each node asks for its mailboxes, a part of them at a time, all of them within `INTERVAL`.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from blindrelay.relay.cluster.subjects import Subjects
from blindrelay.relay.cluster.wakes import Wakes
from blindrelay.relay.errors import StoreError
from blindrelay.relay.mailbox import Mailbox
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables
from blindrelay.relay.store.entries import Accepted

#: How late a node may find what it has not been woken for. Seconds.
INTERVAL: Final = 1.0
# Mailboxes that one look asks for: a millisecond or two of the database's time.
_AT_ONCE: Final = 1_000
_SLICES: Final = 10
_SLICE: Final = 100

_presence = tables.presence.c
_MOVED: Final = text(
    "SELECT m.account_id, m.last_sequence "
    "FROM unnest(CAST(:ids AS bigint[]), CAST(:known AS bigint[])) AS k (id, known) "
    "JOIN mailbox AS m ON m.account_id = k.id AND m.last_sequence > k.known"
)
# Who ends waits for nobody: see `sessions`.
_END_READING: Final = text(
    "UPDATE presence SET reader = 0 WHERE account_id IN ("
    "SELECT account_id FROM presence WHERE account_id = :account_id AND reader = :node FOR UPDATE SKIP LOCKED)"
)
_log = structlog.get_logger()


class Exchange(Protocol):
    """What is asked of the message path."""

    def news(self, mailbox: Mailbox) -> None:
        """There may be something in a mailbox that did not come through here."""


class Mail:
    """The mailboxes that are read at this node. Part of `blindrelay.relay.ports.Neighbours`."""

    def __init__(self, store: Store, wakes: Wakes, subjects: Subjects, node: int) -> None:
        self._store = store
        self._wakes = wakes
        self._subjects = subjects
        self._node = node
        self._read: dict[int, Mailbox] = {}
        self._by_hash: dict[str, Mailbox] = {}
        self._fresh: list[Mailbox] = []
        self._exchange: Exchange
        self._tasks: set[asyncio.Task[None]] = set()
        wakes.listen(subjects.all_mail(node), self._woken)

    def start(self, exchange: Exchange) -> None:
        """Begin to look."""
        self._exchange = exchange
        self._spawn(self._look_on())

    async def stop(self) -> None:
        """Look no more, and write down what is being written down."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What the message path says.

    def stored(self, entries: Iterable[Accepted]) -> None:
        """See `Neighbours`."""
        for entry in entries:
            if entry.reader and entry.reader != self._node:
                self._wakes.wake(self._subjects.mail(entry.reader, entry.mailbox_id))

    async def claim(self, mailbox: Mailbox) -> None:
        """See `Neighbours`."""
        await self._store.run(lambda connection: _begin_reading(connection, mailbox.account_id, self._node))

    def reading(self, mailbox: Mailbox) -> None:
        """See `Neighbours`."""
        self._read[mailbox.account_id] = mailbox
        self._by_hash[self._subjects.hash(mailbox.account_id)] = mailbox
        # A batch that was under way has not seen our number yet: it is looked once more, when it is over.
        self._fresh.append(mailbox)
        self._exchange.news(mailbox)

    def left(self, mailbox: Mailbox) -> None:
        """See `Neighbours`."""
        self._read.pop(mailbox.account_id, None)
        self._by_hash.pop(self._subjects.hash(mailbox.account_id), None)
        self._spawn(self._end(mailbox))

    # What other nodes say.

    def _woken(self, subject: str) -> None:
        mailbox = self._by_hash.get(subject.rpartition(".")[2])
        if mailbox is not None:
            self._exchange.news(mailbox)

    async def readers(self, account_ids: Iterable[int]) -> Mapping[int, int]:
        """Of those of these mailboxes that are read here: at which node they are to be read."""
        mine = [account_id for account_id in account_ids if account_id in self._read]
        query = select(_presence.account_id, _presence.reader).where(_presence.account_id.in_(mine))
        if not mine:
            return {}
        return dict(await self._store.read(lambda connection: [(row[0], row[1]) for row in connection.execute(query)]))

    # Inside.

    async def _end(self, mailbox: Mailbox) -> None:
        with contextlib.suppress(StoreError):  # a number that nobody has any more does no harm
            if mailbox.delivery is None:
                await self._store.run(lambda connection: _end_reading(connection, mailbox.account_id, self._node))

    def _moved(self, mailbox: Mailbox, last: int) -> None:
        mailbox.committed = max(mailbox.committed, last)
        delivery = mailbox.delivery
        if delivery is not None and delivery.read_up_to < mailbox.committed:
            delivery.pump()
            delivery.peer.flush()

    async def _look_on(self) -> None:
        while True:
            try:
                everything = list(self._read.values())
                # A slice each time, as long as there are any: few mailboxes are one slice.
                step = max(_SLICE, -(-len(everything) // _SLICES))
                for turn in range(_SLICES):
                    await asyncio.sleep(INTERVAL / _SLICES)
                    fresh, self._fresh = self._fresh, []
                    await self._look([*fresh, *everything[turn * step : (turn + 1) * step]])
            except StoreError:
                await asyncio.sleep(INTERVAL)
            except Exception as error:  # noqa: BLE001 - whatever it is: a node that does not look any more is worse
                _log.error("looking for mail has failed", exc_info=error)
                await asyncio.sleep(INTERVAL)

    async def _look(self, mailboxes: list[Mailbox]) -> None:
        for start in range(0, len(mailboxes), _AT_ONCE):
            part = [mailbox for mailbox in mailboxes[start : start + _AT_ONCE] if mailbox.delivery is not None]
            known = [mailbox.delivery.read_up_to if mailbox.delivery else 0 for mailbox in part]
            parameters = {"ids": [mailbox.account_id for mailbox in part], "known": known}
            moved = await self._store.read(lambda connection, these=parameters: _moved(connection, these))  # type: ignore[misc]
            for account_id, last in moved:
                mailbox = self._read.get(account_id)
                if mailbox is not None:
                    self._moved(mailbox, last)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _begin_reading(connection: Connection, account_id: int, node: int) -> None:
    upsert = insert(tables.presence).values(account_id=account_id, reader=node)
    connection.execute(upsert.on_conflict_do_update(index_elements=["account_id"], set_={"reader": node}))


def _end_reading(connection: Connection, account_id: int, node: int) -> None:
    connection.execute(_END_READING, {"account_id": account_id, "node": node})


def _moved(connection: Connection, parameters: Mapping[str, list[int]]) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in connection.execute(_MOVED, parameters)]
