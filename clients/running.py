"""The parts of a device, put together, and their life between entering and leaving it."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from blindrelay.clients.connection import Connection, Credentials
from blindrelay.clients.contacts import Contacts
from blindrelay.clients.content import Read, decode
from blindrelay.clients.courier import Courier
from blindrelay.clients.desk import Desk
from blindrelay.clients.directory import Directory
from blindrelay.clients.dispatch import Dispatch
from blindrelay.clients.errors import AdmissionRefused, ClientError, Closed, DeliveryRefused, NoDeliveryToken
from blindrelay.clients.heads import Heads
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.inbox import Inbox
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.link import Inbound
from blindrelay.clients.message import Message, News, Update
from blindrelay.clients.notices import Notices
from blindrelay.clients.options import Options
from blindrelay.clients.outbox import Departure, NoRoute, Outbox, Route, RouteKey
from blindrelay.clients.postroom import Arrival, Postroom
from blindrelay.clients.receipts import Receipts, Stage
from blindrelay.clients.records import HistoryEntry
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.rpc import Caller
from blindrelay.clients.sealed import Events, SealedRoutes
from blindrelay.clients.tls import identified_context
from blindrelay.clients.upkeep import Upkeep
from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.sizes import MAX_TTL

if TYPE_CHECKING:
    from blindrelay.clients.device import Device

# News that nobody reads are dropped, the oldest first.
MAX_NEWS: Final = 1_000
# So many read messages are remembered as told; telling twice would be harmless.
MAX_TOLD: Final = 10_000


class NewsQueue:
    """What one listener has not heard yet."""

    def __init__(self) -> None:
        self._waiting: deque[Update] = deque(maxlen=MAX_NEWS)
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, update: Update) -> None:
        """Something happened."""
        self._waiting.append(update)
        self._wake.set()

    def close(self) -> None:
        """Nothing will happen any more."""
        self._closed = True
        self._wake.set()

    async def next(self) -> Update:
        """The next news; raise `Closed` at the end."""
        while not self._waiting:
            if self._closed:
                raise Closed("the device was left")
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()


class Running:
    """What is behind a `Device`. It is the observer of the device's own connection."""

    def __init__(self, owner: "Device", store: KeyStore, relay: RelayAddress, clock: Clock, options: Options) -> None:
        self._owner = owner
        self._store = store
        self._relay = relay
        self._clock = clock
        self._options = options
        self.identity = OwnIdentity.load(store)
        self.contacts = Contacts(store, clock)
        self.receipts = Receipts()
        self.heads = Heads(store, clock, options.log_habits(relay.log_policy))
        self._postroom = Postroom(store, self.identity, self.contacts, self.heads, clock)
        self.directory = Directory(self.contacts, self.heads, self._postroom, clock, max_age=options.directory_age)
        self._outbox = Outbox(store, clock, routes=self._route, departed=self._departed, backoff=options.backoff)
        self.courier = Courier(store, self._postroom, self.identity, self.contacts, self._outbox, clock, options)
        self.desk = Desk(
            self.identity.address, store, self.contacts, self.receipts, self.courier, clock, options, self._note
        )
        self.dispatch = Dispatch(
            self.identity.address, store, self.directory, self.courier, self.desk, self.receipts, self._caller_of
        )
        self.notices = Notices(self.identity.address.owner, store, clock, self._spread)
        self._connection: Connection | None = None
        self._sealed: SealedRoutes | None = None
        self._inbox: Inbox | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._error: ClientError = Closed("the device is not connected: use it inside `async with device:`")
        self._over = True
        self._arrived = asyncio.Event()
        self._listeners: list[NewsQueue] = []
        self._noted: list[Update] = []
        self._debts: dict[DeviceAddress, list[bytes]] = {}
        self._told: OrderedDict[bytes, None] = OrderedDict()
        self._peers: set[DeviceAddress] = set()

    # --- life

    async def start(self) -> None:
        """Connect; see `Device.__aenter__`."""
        address = self.identity.address
        credentials = Credentials(
            identified_context(self._relay.ca, self.identity.certificate, self.identity.key),
            client_id=str(address),
            session_expiry=MAX_TTL,
            inbox=topics.inbox(address),
        )
        connection = Connection(
            self._relay.host,
            self._relay.port,
            credentials,
            clock=self._clock,
            backoff=self._options.backoff,
            timeout=self._options.timeout,
        )
        self._connection = connection
        self._sealed = SealedRoutes(
            self._relay,
            self._clock,
            token=self._token,
            events=Events(self._sealed_up, self._sealed_refused),
            hygiene=self._options.hygiene,
            backoff=self._options.backoff,
            timeout=self._options.timeout,
        )
        self._inbox = Inbox(
            connection,
            self._store,
            self._postroom,
            self.directory,
            begin=self._begin,
            handle=self._handle,
            refuse=self._refuse,
            settle=self._settle,
        )
        upkeep = Upkeep(connection, self._store, self.identity, self.heads, self.directory, self._clock)
        self._upkeep = upkeep
        self._over = False
        self.notices.open()
        self.desk.load(self._owner)
        self._arrived.set()
        connection.observe(self)
        try:
            await connection.start()
            await self.heads.learn_policy(connection)  # before the first letter, whose sender is looked up by it
            # Before anything arrives: a receipt for that would be in the store as well as in the outbox, and be taken up twice.
            self._outbox.load()
            self._tasks = [asyncio.create_task(self._inbox.work())]
            await upkeep.announce()
            self._tasks.append(asyncio.create_task(upkeep.work()))
            self._tasks.append(asyncio.create_task(upkeep.compare()))
            self._tasks.append(asyncio.create_task(self.notices.work(connection)))
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, farewell: float) -> None:
        """Leave, after up to `farewell` seconds for what is still to be sent."""
        try:
            hopeless = self._over or self._connection is None or self._connection.error is not None
            if farewell > 0 and not hopeless:
                await self._say_farewell(farewell)
        finally:
            self._over = True
            await self._stop_tasks()
            if self._sealed is not None:
                await self._sealed.stop()
            if self._connection is not None:
                await self._connection.stop()
            self.courier.stop()
            self._outbox.stop()
            self._error = Closed("the device was left")
            self._arrived.set()
            self.notices.close()
            for listener in self._listeners:
                listener.close()

    async def _say_farewell(self, seconds: float) -> None:
        self.courier.settle_debts(False)
        self.courier.settle_debts(True)
        try:
            async with asyncio.timeout(seconds):
                await self._outbox.drained()
        except TimeoutError:
            pass  # it is in the store, for the next time

    async def _stop_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def connection(self) -> Connection:
        """The device's own connection; raise what ended it for good."""
        if self._over or self._connection is None:
            raise self._error
        if self._connection.error is not None:
            raise self._connection.error
        return self._connection

    # --- what the connection tells (`connection.Observer`)

    def up(self, resumed: bool) -> None:
        """Messages may leave."""
        if not resumed:
            self._outbox.reset(None)
        self._outbox.pump()
        self.notices.wake()  # what was said while we were away

    def nudged(self) -> None:
        """The relay has something to say."""
        self.notices.wake()

    def down(self) -> None:
        """What was not stored comes again."""
        if self._inbox is not None:
            self._inbox.clear()

    def received(self, inbound: Inbound) -> None:
        """A message from the relay."""
        if self._inbox is not None:
            self._inbox.put(inbound)

    def finished(self, error: ClientError) -> None:
        """The relay does not let us in any more."""
        self._error = error
        self._arrived.set()
        self.notices.close()

    # --- routes

    def _route(self, key: RouteKey) -> Route:
        connection, sealed = self._connection, self._sealed
        if self._over or connection is None or sealed is None:
            return NoRoute()
        if key is None:
            return connection
        try:
            return sealed.to(key)
        except NoDeliveryToken as error:
            # It was there when the letter was sealed. Not here: we are in the middle of going through the outbox.
            asyncio.get_running_loop().call_soon(self._outbox.refuse, key, error)
            return NoRoute()

    def _caller_of(self, user: UserAddress, anonymous: bool) -> Caller:
        if not anonymous or self._sealed is None:
            return self.connection()
        return self._sealed.to(user)

    def _token(self, user: UserAddress) -> DeliveryToken | None:
        return self.identity.token if user == self.identity.address.owner else self.contacts.token(user)

    def _sealed_up(self, user: UserAddress) -> None:
        self._outbox.reset(user)
        self._outbox.pump(user, every=False)

    def _sealed_refused(self, user: UserAddress, error: ClientError) -> None:
        code = error.code if isinstance(error, AdmissionRefused) else 0x87
        self._outbox.refuse(user, DeliveryRefused(str(user), code, "their delivery token is not valid any more"))
        if self._sealed is not None:
            self._sealed.close(user)

    # --- what left

    def _departed(self, departure: Departure) -> None:
        receipt = self.receipts.find(departure.content_id)
        if departure.error is not None:
            self.directory.forget(departure.recipient.owner)
            if receipt is not None and departure.recipient in receipt.devices:
                receipt.refuse(departure.recipient, departure.error)
                reason = str(departure.error)
                self._spread(Update(News.REFUSED, departure.content_id, departure.recipient, reason=reason))
            return
        if receipt is None:
            news = self.desk.mark(departure.content_id, departure.recipient, Stage.ACCEPTED)
        elif departure.recipient in receipt.devices:
            news = receipt.part_accepted(departure.recipient)
            if news:
                self.desk.mark(departure.content_id, departure.recipient, Stage.ACCEPTED)
        else:
            return
        if news:
            self._spread(Update(News.ACCEPTED, departure.content_id, departure.recipient))

    # --- what arrives (`inbox.Inbox`)

    def _begin(self) -> None:
        self._noted.clear()
        self._debts.clear()
        self.desk.begin()

    def _handle(self, arrival: Arrival) -> None:
        sender = arrival.sender.address
        if sender not in self._peers:
            self._peers.add(sender)
            self._upkeep.met_stranger()
        self.desk.handle(arrival, self._owner, self._debts)

    def _refuse(self, error: ClientError, sender: DeviceAddress | None) -> None:
        self.desk.refuse(error, sender)

    def _settle(self) -> Callable[[], None]:
        entries = [entry for sender, ids in self._debts.items() for entry in self.courier.delivered(sender, ids)]
        noted = list(self._noted)

        def after() -> None:
            self.courier.leave(entries)
            if self.desk.committed():
                self._arrived.set()
            for update in noted:
                self._spread(update)

        return after

    def _note(self, update: Update) -> None:
        self._noted.append(update)

    def _spread(self, update: Update) -> None:
        receipt = self.receipts.find(update.id)
        if receipt is not None and update.device is not None and update.news in (News.DELIVERED, News.READ):
            receipt.reach(update.device, Stage[update.news.name])
        for listener in self._listeners:
            listener.put(update)

    # --- what the application takes

    async def next_message(self) -> Message:
        """See `Device.receive`."""
        while True:
            message = None if self._over else self.desk.take()
            if message is not None:
                if self._options.read_receipts:
                    self.mark_read(message)
                return message
            if self._over or (self._connection is not None and self._connection.error is not None):
                raise self._error
            self._arrived.clear()
            await self._arrived.wait()

    def mark_read(self, message: Message) -> None:
        """See `Message.mark_read`."""
        if message.id in self._told or message.sent_to is not None:
            return
        self._told[message.id] = None
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        self.courier.owe(Read, message.device, message.id, sealed=message.sealed)

    def message_of(self, entry: HistoryEntry) -> Message:
        """A letter of the history as a message."""
        return Message.of(decode(entry.letter), entry.sender, self._owner)

    def subscribe(self) -> NewsQueue:
        """A new listener."""
        queue = NewsQueue()
        if self._over:
            queue.close()
        self._listeners.append(queue)
        return queue

    def unsubscribe(self, queue: NewsQueue) -> None:
        """One listener less."""
        self._listeners.remove(queue)
