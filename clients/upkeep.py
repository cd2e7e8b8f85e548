"""What a device does beside messages: publish its keys, replace them in time, and forget what is to be forgotten."""

import asyncio
import logging
from typing import Final

from blindrelay.clients.connection import Connection
from blindrelay.clients.directory import Directory
from blindrelay.clients.errors import (
    ClientError,
    ConnectionLost,
    HistoryRejected,
    RequestRefused,
    StoreError,
    TimedOut,
)
from blindrelay.clients.heads import Heads
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import (
    COUNT_PREKEYS,
    MAX_ONE_TIME_PREKEYS,
    PUBLISH_PREKEYS,
    PUBLISH_STATEMENT,
    Empty,
    ErrorCode,
    PublishStatement,
)

logger = logging.getLogger("blindrelay.clients")

# Seconds between two rounds, and rounds between two looks at the prekeys.
ROUND: Final = 60.0
ROUNDS_BETWEEN_COUNTS: Final = 10
# Replace one-time prekeys when half of them are gone: before that, a round trip buys little.
LOW: Final = MAX_ONE_TIME_PREKEYS // 2


class Upkeep:
    """See the module."""

    def __init__(
        self,
        connection: Connection,
        store: KeyStore,
        identity: OwnIdentity,
        heads: Heads,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._heads = heads
        self._store = store
        self._identity = identity
        self._clock = clock
        self._due = asyncio.Event()
        self._strangers = 0

    async def announce(self) -> None:
        """Make this device known: publish its statement and fill up its prekeys. Cancelling leaves what was published.

        Raises:
            RequestRefused, TimedOut, AdmissionRefused: see `Connection.call`.
        """
        await self._publish_statement()
        await self.replenish()

    async def _publish_statement(self) -> None:
        statement = PublishStatement(statement=self._identity.statement())
        try:
            await self._connection.call(PUBLISH_STATEMENT, statement)
        except RequestRefused as refused:
            if refused.code != ErrorCode.CONFLICT:
                raise
            # The relay has this very statement from the last time.

    async def replenish(self) -> None:
        """Fill up the one-time prekeys, if they run low, and replace the fallback key when its time has come."""
        fallback = self._identity.fallback_due(self._clock)
        have = (await self._connection.call(COUNT_PREKEYS, Empty())).one_time
        if have > LOW and not fallback:
            return
        await self._connection.call(PUBLISH_PREKEYS, self._identity.prekeys(have, self._clock, fallback=fallback))
        self._strangers = 0

    def met_stranger(self) -> None:
        """Somebody new wrote, and probably used up a prekey."""
        self._strangers += 1
        if self._strangers >= MAX_ONE_TIME_PREKEYS - LOW:
            self._strangers = 0
            self._due.set()

    async def work(self) -> None:
        """Look after everything until cancelled."""
        rounds = 0
        if self._directory.has_heard_of(self._identity.address.owner):
            await self._look_around()
        while True:
            try:
                async with asyncio.timeout(ROUND):
                    await self._due.wait()
            except TimeoutError:
                rounds += 1
            try:
                self._forget()
                if rounds == 1:
                    await self._look_around()
                if self._due.is_set() or rounds >= ROUNDS_BETWEEN_COUNTS:
                    rounds = 0
                    self._due.clear()
                    await self._renew()
            except (RequestRefused, TimedOut, ConnectionLost, StoreError) as error:
                logger.warning("keys could not be looked after, and will be next time: %s", error)
            except ClientError:
                return  # the connection will not come back; whoever waits for it is told

    async def compare(self) -> None:
        """Compare what peers have seen of the public log with what this device has, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(ROUND * ROUNDS_BETWEEN_COUNTS):
                    await self._heads.due.wait()
            except TimeoutError:
                pass  # what was heard over an anonymous connection is asked about at a time that has nothing to do with it
            try:
                await self._heads.reconcile(self._connection)
            except HistoryRejected as error:
                logger.error("%s", error)  # noqa: TRY400 - the sentence is what counts
                await asyncio.sleep(ROUND)
            except (RequestRefused, TimedOut, ConnectionLost, StoreError) as error:
                logger.warning("the public log could not be compared, and will be next time: %s", error)
                await asyncio.sleep(ROUND)
            except ClientError:
                return

    async def _look_around(self) -> None:
        """Ask for our own user's devices, at a time that has nothing to do with any letter: see `Directory.prepare_own`."""
        own = self._identity.address
        self._directory.forget(own.owner)
        try:
            await self._directory.prepare(own.owner, self._connection, but=own)
        except ClientError as error:
            # Whatever it is, whoever writes next is told; and if the connection is over for good, so is the next step.
            logger.warning("our own devices could not be looked up, and will be next time: %s", error)

    async def _renew(self) -> None:
        if self._identity.rotation_due(self._clock):
            self._identity.rotate_sealing_key(self._clock)
            await self._publish_statement()
        await self.replenish()

    def _forget(self) -> None:
        now = self._clock.now()
        with self._store.transaction():
            self._store.remove_disappeared(now)
            self._store.forget_processed(now)
