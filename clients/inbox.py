"""Takes envelopes from the connection, many at a time, and acknowledges them when they are stored."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from blindrelay.clients.connection import Connection
from blindrelay.clients.directory import Directory
from blindrelay.clients.errors import (
    ClientError,
    ConnectionLost,
    Expired,
    IdentityRejected,
    RequestRefused,
    StoreError,
    TimedOut,
    Unreadable,
)
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.link import Inbound
from blindrelay.clients.postroom import Arrival, Postroom, Unsealed
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.rpc import ErrorCode

logger = logging.getLogger("blindrelay.clients")

# Refusals of a look-up that say nothing about the message that made it necessary: it comes again, and is asked for again.
_FOR_NOW: Final = frozenset({ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE})

# One transaction holds so many envelopes or bytes: what one turn of the event loop may cost, about 20 ms.
BATCH: Final = 64
BATCH_BYTES: Final = 1_048_576

#: Deals with a letter inside the transaction.
Handle = Callable[[Arrival], None]
#: Told, inside the transaction, what could not be read, and whom it claimed to come from.
Refuse = Callable[[ClientError, DeviceAddress | None], None]


class Inbox:
    """One long task for a device, not one for a message.

    Args:
        begin: called before each transaction: what the one before noted and did not commit is to be forgotten.
        settle: called at the end of each transaction, inside it; what it returns is called after the commit.
    """

    def __init__(
        self,
        connection: Connection,
        store: KeyStore,
        postroom: Postroom,
        directory: Directory,
        *,
        begin: Callable[[], None],
        handle: Handle,
        refuse: Refuse,
        settle: Callable[[], Callable[[], None]],
    ) -> None:
        self._connection = connection
        self._store = store
        self._postroom = postroom
        self._directory = directory
        self._begin = begin
        self._handle = handle
        self._refuse = refuse
        self._settle = settle
        self._waiting: deque[Inbound] = deque()
        self._arrived = asyncio.Event()

    def put(self, inbound: Inbound) -> None:
        """An envelope from the relay."""
        self._waiting.append(inbound)
        self._arrived.set()

    def clear(self) -> None:
        """The connection is over: what is not stored comes again."""
        self._waiting.clear()

    async def work(self) -> None:
        """Deal with what comes, until cancelled. A cancel loses nothing: transactions do not wait."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                batch = self._take()
                try:
                    opened = await self._open(batch)
                    self._store_batch(batch, opened)
                except (StoreError, TimedOut, ConnectionLost, RequestRefused) as error:
                    # Profile, D11: an acknowledgement would delete what we could not keep. The relay sends it again.
                    logger.warning("messages could not be stored and will be fetched again: %s", error)
                    self._waiting.clear()
                    self._connection.break_off()
                await asyncio.sleep(0)

    def _take(self) -> list[Inbound]:
        batch: list[Inbound] = []
        size = 0
        while self._waiting and len(batch) < BATCH and size < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].payload)
        return batch

    async def _open(self, batch: list[Inbound]) -> list[Unsealed | ClientError]:
        """Take off the outsides, and learn the roots of tenants that write for the first time."""
        opened: list[Unsealed | ClientError] = []
        for inbound in batch:
            try:
                unsealed = self._postroom.unseal(inbound.correlation, inbound.payload)
                if (tenant := self._postroom.root_needed(unsealed)) is not None:
                    await self._directory.pin_root(tenant, self._connection)
                opened.append(unsealed)
            except RequestRefused as error:
                if error.code in _FOR_NOW:
                    raise
                opened.append(error)
            except (Unreadable, IdentityRejected) as error:
                opened.append(error)
        return opened

    def _store_batch(self, batch: list[Inbound], opened: list[Unsealed | ClientError]) -> None:
        self._begin()
        with self._store.transaction():
            for result in opened:
                self._process(result)
            after = self._settle()
        for inbound in batch:
            self._connection.acknowledge(inbound)
        after()

    def _process(self, result: Unsealed | ClientError) -> None:
        if isinstance(result, ClientError):
            # What does not open will not open the next time either, and must not stand in the way of others.
            self._refuse(result, None)
            return
        try:
            arrival = self._postroom.receive(result)
            if arrival is not None:
                self._handle(arrival)
        except (Unreadable, IdentityRejected, Expired) as error:
            self._refuse(error, result.sender)
