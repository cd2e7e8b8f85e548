"""One node of a relay that has several: what it knows of the others, and what it does when it leads.

Put together here; `server.Relay` has one when its settings say so.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, Self

import sqlalchemy
import structlog

from blindrelay.protocol.clock import Clock
from blindrelay.relay.accounts import Accounts, Tenant
from blindrelay.relay.cluster import identity
from blindrelay.relay.cluster.charges import Charges, Limits
from blindrelay.relay.cluster.feed import KEPT, Feed, forget_old
from blindrelay.relay.cluster.mail import Mail
from blindrelay.relay.cluster.presence import DESK, LIVE, Duties, Place, Presence
from blindrelay.relay.cluster.sessions import SharedSessions
from blindrelay.relay.cluster.subjects import Subjects
from blindrelay.relay.cluster.wakes import NoWakes, Wakes
from blindrelay.relay.cluster.watches import forget_watches
from blindrelay.relay.config import Cluster as ClusterSettings
from blindrelay.relay.errors import BadConfiguration, OfficeTaken, StartupError, StoreError
from blindrelay.relay.mailbox import Mailbox
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables
from blindrelay.relay.store.entries import Accepted

if TYPE_CHECKING:
    from sqlalchemy import Connection

# How long the database is asked where clients can go on: they are waiting to be told. Seconds.
_ASKED_FOR: Final = 1.0
# After a duty that could not be taken up. Seconds.
_RETRY: Final = 1.0

_log = structlog.get_logger()


class Exchange(Protocol):
    """What is asked of the message path."""

    def news(self, mailbox: Mailbox) -> None:
        """There may be something in a mailbox that did not come through here."""

    def taken_over(self, epochs: dict[int, int]) -> None:
        """These sessions are at other nodes."""

    def lost_inboxes(self, mailboxes: Sequence[Mailbox]) -> None:
        """These are read at other nodes."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a node does about what other nodes have changed.

    Attributes:
        accounts: who is known.
        trust: admits the certificates of new tenants.
        eject: sends those away who do not stand any more.
        services: reads anew where the service is suspended.
        announce: tells those who are here of notices, by number.
        logged: the log `directory` may have new entries.
        published: a public log may have a new checkpoint.
        reload: reads everything anew.
    """

    accounts: Accounts
    trust: Callable[[Tenant], None]
    eject: Callable[[], None]
    services: Callable[[], Awaitable[None]]
    announce: Callable[[Sequence[int]], Awaitable[None]]
    logged: Callable[[], None]
    published: Callable[[], Awaitable[None]]


class Node:
    """Use `Node.join`, `follow` before anything is read that is kept in memory, `start` when the exchange is there, `stop`.

    `ports.Neighbours` of the message path.
    """

    sessions: SharedSessions
    _feed: Feed

    def __init__(self, presence: Presence, wakes: Wakes, mail: Mail, store: Store, clock: Clock) -> None:
        self._presence = presence
        self._wakes = wakes
        self._mail = mail
        self._store = store
        self._clock = clock
        self._exchange: Exchange | None = None  # until `start`: nobody is connected here
        self._new: set[int] = set()
        self._sharing: asyncio.Task[None] | None = None

    @classmethod
    async def join(
        cls,
        settings: ClusterSettings,
        database: str,
        store: Store,
        clock: Clock,
        failed: Callable[[StartupError], None],
    ) -> Self:
        """Take the node's name in the database, and a number.

        Args:
            settings: the operator's.
            database: a connection string, which may hold a password.
            store: where everything is.
            clock: what time it is.
            failed: is called when the node may not go on.

        Raises `NodeNameTaken`, `StoreUnreachable`, `BadConfiguration`.
        """
        subjects = Subjects(identity.cluster_key(settings.identity_dir))
        presence = await Presence(Place(database, settings.node), failed=failed).join(int(clock.now()))
        try:
            wakes = _wakes(settings)
        except BaseException:
            await presence.leave()
            raise
        return cls(presence, wakes, Mail(store, wakes, subjects, presence.number), store, clock)

    @property
    def number(self) -> int:
        """Of this start of the node."""
        return self._presence.number

    @property
    def is_leading(self) -> bool:
        """Whether it does what one node does for all."""
        return self._presence.is_leading

    @property
    def is_here(self) -> bool:
        """Whether it knows of what other nodes have changed some seconds ago."""
        return self._feed.is_current

    @property
    def is_awake(self) -> bool:
        """Whether wake-ups get through to it."""
        return self._wakes.is_connected

    async def follow(self, hooks: Hooks) -> None:
        """Follow what other nodes change from now on: what is read from the tables after this stays true."""
        self._hooks = hooks
        account_kinds = {
            "tenant": self._tenants,
            "device": self._devices,
            "revocation": self._revocations,
            "departed": self._departed,
        }
        self._feed = Feed(
            self._store,
            self.number,
            self._clock,
            refresh=account_kinds
            | {
                "service": self._services,
                "notice": self._notices,
                "session": self._sessions,
                "reader": self._readers,
            },
            reload=self._reload,
        )
        await self._feed.start()

    async def take_desk(self) -> None:
        """Be the node that has the lawful desk, before `start`. Its case file is a file: two desks would have two.

        Raises `OfficeTaken`: another node has it.
        """
        if not await self._presence.hold(DESK):
            raise OfficeTaken(
                "the lawful desk is at another node of this relay: start this one without (--no-desk), or stop that one"
            )

    async def start(
        self, exchange: Exchange, duties: Duties, limits: Limits, rate: float, *, address: str | None = None
    ) -> None:
        """The node is whole: look at what happens, and take its turn in `duties`.

        Args:
            exchange, duties, limits: see there.
            rate: a tenant's limit, messages a second.
            address: where clients reach this node (host:port), for those that another one sends here.

        Raises what the store raises.
        """
        self._exchange = exchange
        await self._store.run(partial(_reached_at, self.number, address))
        self._sharing = asyncio.create_task(Charges(self._store, limits, self.number, rate).share_on())
        self._mail.start(exchange)
        await self._wakes.start()
        self._presence.start(self._look, _Persistent(duties))

    async def stop_leading(self) -> None:
        """Lay down what one node does, so that another takes it up; what is under way here is finished afterwards."""
        await self._presence.rest()

    async def elsewhere(self) -> list[str]:
        """This node takes no more: where its clients can go on. Server References of MQTT 5, each with all other nodes that are
        alive and another one of them first. None when the database does not say so soon."""
        try:
            async with asyncio.timeout(_ASKED_FOR):
                others = await self._store.run(partial(_others, self.number))
        except (StoreError, TimeoutError):
            return []
        return [" ".join(others[turn:] + others[:turn]) for turn in range(len(others))]

    async def stop(self) -> None:
        """Everything else."""
        await self._presence.leave()
        if self._sharing is not None:
            self._sharing.cancel()
            await asyncio.gather(self._sharing, return_exceptions=True)
        await self._mail.stop()
        await self._wakes.stop()
        if hasattr(self, "_feed"):
            await self._feed.stop()

    async def everywhere(self) -> None:
        """Wait until all nodes act by what has been committed."""
        await self._feed.wait_everywhere()

    # `ports.Neighbours`.

    def stored(self, entries: list[Accepted]) -> None:
        """See `Neighbours`."""
        self._mail.stored(entries)

    async def claim(self, mailbox: Mailbox) -> None:
        """See `Neighbours`."""
        await self._mail.claim(mailbox)

    def reading(self, mailbox: Mailbox) -> None:
        """See `Neighbours`."""
        self._mail.reading(mailbox)

    def left(self, mailbox: Mailbox) -> None:
        """See `Neighbours`."""
        self._mail.left(mailbox)

    def enrolled(self, account_id: int) -> None:
        """A device has come for the first time, or with a new certificate."""
        self._new.add(account_id)

    def is_new(self, account_id: int) -> bool:
        """See `Neighbours`."""
        return account_id in self._new

    async def introduced(self, account_id: int) -> None:
        """See `Neighbours`."""
        self._new.discard(account_id)
        await self.everywhere()

    # What other nodes have changed.

    async def _look(self) -> None:
        self._feed.wake()
        await self._hooks.published()

    async def _tenants(self, names: Sequence[str]) -> None:
        await self._refresh(lambda connection: Accounts.read_some(connection, tenants=names))

    async def _devices(self, keys: Sequence[str]) -> None:
        await self._refresh(lambda connection: Accounts.read_some(connection, devices=[int(key) for key in keys]))

    async def _revocations(self, keys: Sequence[str]) -> None:
        fingerprints = [bytes.fromhex(key.removeprefix("\\x")) for key in keys]
        await self._refresh(lambda connection: Accounts.read_some(connection, revocations=fingerprints))

    async def _departed(self, names: Sequence[str]) -> None:
        await self._refresh(lambda connection: Accounts.read_some(connection, departed=names))

    async def _refresh(self, read: "Callable[[Connection], object]") -> None:
        hooks = self._hooks
        for tenant in hooks.accounts.refresh(await self._store.read(read)):  # type: ignore[arg-type]
            hooks.trust(tenant)
        hooks.eject()
        hooks.logged()

    async def _services(self, _: Sequence[str]) -> None:
        await self._hooks.services()
        self._hooks.eject()

    async def _notices(self, keys: Sequence[str]) -> None:
        await self._hooks.announce([int(key) for key in keys])

    async def _sessions(self, keys: Sequence[str]) -> None:
        if self._exchange is not None:
            self._exchange.taken_over(await self.sessions.epochs([int(key) for key in keys]))

    async def _readers(self, keys: Sequence[str]) -> None:
        if self._exchange is None:
            return
        readers = await self._mail.readers([int(key) for key in keys])
        lost = [account_id for account_id, node in readers.items() if node not in {0, self.number}]
        self._exchange.lost_inboxes([found for one in lost if (found := self._hooks.accounts.mailbox(one)) is not None])

    async def _reload(self) -> None:
        """Too much may have been missed: everything that is known is read anew."""
        hooks = self._hooks
        for tenant in hooks.accounts.refresh(await self._store.read(Accounts.read_all)):
            hooks.trust(tenant)
        await hooks.services()
        hooks.eject()
        hooks.logged()

    # What one node does.

    async def keep_house(self) -> None:
        """Forget what nobody needs any more: changes that all have followed, starts of nodes that are over."""
        now = int(self._clock.now())
        await self._store.run(forget_old)
        await self._store.run(forget_watches(now, now - KEPT))
        await self._store.run(_forget_nodes)


class _Persistent:
    """Duties that are taken up again when that fails."""

    def __init__(self, duties: Duties) -> None:
        self._duties = duties

    async def take_up(self) -> None:
        while True:
            try:
                await self._duties.take_up()
            except StoreError as error:
                _log.warning("a duty cannot be taken up just now", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it is: it is tried again, or another node leads
                _log.error("a duty cannot be taken up", exc_info=error)
            else:
                return
            await self.lay_down()
            await asyncio.sleep(_RETRY)

    async def lay_down(self) -> None:
        with contextlib.suppress(StoreError):
            await self._duties.lay_down()


def _wakes(settings: ClusterSettings) -> Wakes:
    if not settings.servers:
        return NoWakes()
    try:
        from blindrelay.relay.cluster.nats import NatsAccess, NatsWakes  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise BadConfiguration(
            "wake-ups over NATS need a client that is not installed: pip install 'blindrelay[cluster]'"
        ) from error
    access = NatsAccess(settings.servers, settings.ca, settings.credentials, settings.token)
    try:
        return NatsWakes(access, settings.node)
    except (OSError, ValueError) as error:  # `ssl.SSLError` is the one, `UnicodeDecodeError` the other
        raise BadConfiguration(f"the access to NATS cannot be used: {error}") from error


def _reached_at(number: int, address: str | None, connection: "Connection") -> None:
    connection.execute(sqlalchemy.update(tables.node).where(tables.node.c.id == number).values(address=address))


def _others(number: int, connection: "Connection") -> list[str]:
    _reached_at(number, None, connection)  # nobody is sent here any more
    query = (
        f"SELECT address FROM node JOIN ({LIVE}) AS live USING (id) WHERE id <> %s AND address IS NOT NULL ORDER BY id"  # noqa: S608
    )
    return list(connection.exec_driver_sql(query, (number,)).scalars())


def _forget_nodes(connection: "Connection") -> None:
    # The number of a node that is over may still be in `presence`, where it means: somewhere else. It is not given again.
    for table, column in (("node", "id"), ("charge", "node")):
        connection.exec_driver_sql(
            f"DELETE FROM {table} WHERE {column} NOT IN (SELECT live.id FROM ({LIVE}) AS live)"  # noqa: S608
        )
