"""The inside of a relay: its store, who is known, what they are told, and the message path between them. No door yet.

Opened in order by `blindrelay.relay.server.Relay`, which adds the doors.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog
from mqtt5 import DisconnectReasonCode

from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.protocol.notices import Nudge
from blindrelay.protocol.transparency import directory as directory_entries
from blindrelay.relay import tls
from blindrelay.relay.access import TopicAccess
from blindrelay.relay.accounts import Accounts
from blindrelay.relay.admission import Admission
from blindrelay.relay.chores import Guard
from blindrelay.relay.config import Settings
from blindrelay.relay.counts import Counts
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.notices import NoticeBoard
from blindrelay.relay.desk.service import ServiceStates
from blindrelay.relay.directory import Directory
from blindrelay.relay.enrolment import Enrolment
from blindrelay.relay.exchange import Exchange, Services
from blindrelay.relay.identity import DeviceIdentity
from blindrelay.relay.ledger import Ledger
from blindrelay.relay.limits import Limits
from blindrelay.relay.requests import Answering, OwnData, acted_on_everywhere
from blindrelay.relay.retention import Purge
from blindrelay.relay.rpc import Handler, Rpc
from blindrelay.relay.store import tables
from blindrelay.relay.store.committer import Committer, Outcome
from blindrelay.relay.store.engine import Store
from blindrelay.relay.store.opening import open_store, quota
from blindrelay.relay.suspension import sentence
from blindrelay.relay.tenants import Tenants
from blindrelay.relay.transparency.assembly import open_log, show_log
from blindrelay.relay.transparency.directory import DirectoryLog, enter_older
from blindrelay.relay.transparency.entries import StoredEntries
from blindrelay.relay.transparency.stored_shelf import StoredShelf

if TYPE_CHECKING:
    from blindrelay.relay.cluster.node import Node

# How much of `drain_seconds` may be spent on the store: the ends of thousands of connections are written there.
_FOR_THE_DISK: Final = 0.2

_log = structlog.get_logger()


class Core:
    """What a relay is made of, but for its doors.

    Attributes:
        exchange, accounts, store, committer, tenants: its parts, for tests and for what runs in the same process.
        notices, services: what users are told, and where the service is suspended.
        desk_identity: what the desk signs with; None without a desk.
        node: this relay as one of several nodes; None when it is the only one.
        directory: the data directory.
        directory_log: the public log of the directory.
        retention: deletes the records whose time has come.
    """

    exchange: Exchange
    accounts: Accounts
    store: Store
    committer: Committer
    tenants: Tenants
    notices: NoticeBoard
    services: ServiceStates
    desk_identity: DeskIdentity | None
    directory: DataDirectory
    directory_log: DirectoryLog
    retention: Purge
    _enrolment: Enrolment

    def __init__(self, settings: Settings, clock: Clock | None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.node: Node | None = None
        self._open = contextlib.AsyncExitStack()
        self._counts = Counts()
        self._guard = Guard(self.clock, self.eject)
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()
        self._traced: Callable[[float, int, str], None] | None = None

    # Opened in this order.

    async def _open_accounts(self, context: ssl.SSLContext) -> None:
        """The store, and who is known in it."""
        settings = self.settings
        self.store = open_store(settings, self.directory)
        self.accounts = accounts = Accounts(
            self.clock,
            quota(settings) if settings.store is None else None,  # which is then the store's business
            devices_per_tenant=settings.limits.devices_per_tenant,
        )
        self.committer = Committer(self.store, settle=self._settle, failed=self._fail, timed=self._timed)
        self._open.push_async_callback(self._close_store, self.store)
        await self._join(accounts, context)
        accounts.restore(await self.committer.read(Accounts.read))
        self._enrolment = Enrolment(
            accounts, self.committer, enrolled=self._enrolled, send_away=self._send_away_unrecorded
        )
        await self._enrolment.reserve_numbers()
        for tenant in accounts.tenants():
            tls.trust(context, tenant.der)

    async def _join(self, accounts: Accounts, context: ssl.SSLContext) -> None:
        """Before anything is read that is kept in memory: what other nodes change from now on is followed."""
        cluster, store = self.settings.cluster, self.settings.store
        if cluster is None or store is None:
            return
        # Drivers that a relay of one node does without.
        from blindrelay.relay.cluster.node import Hooks, Node  # noqa: PLC0415

        self.node = await Node.join(cluster, store.get_secret_value(), self.committer, self.clock, self._fail)
        self._open.push_async_callback(self.node.stop)
        await self.node.follow(
            Hooks(
                accounts=accounts,
                trust=lambda tenant: tls.trust(context, tenant.der),
                eject=self.eject,
                services=lambda: self.services.load(),  # noqa: PLW0108 - it comes later
                announce=lambda numbers: self.notices.announce(numbers),  # noqa: PLW0108 - as above
                logged=self.logged,
                published=lambda: self.directory_log.log.follow(),  # noqa: PLW0108 - as above
            )
        )

    async def _open_notices(self) -> None:
        """The desk signs what users are told. Without a desk nobody is told anything, and nobody suspends anything."""
        has_desk = self.settings.desk.enabled
        self.desk_identity = DeskIdentity.open(self.directory.identity, self.clock) if has_desk else None
        self.notices = NoticeBoard(self.committer, self.clock, nudge=self._nudge, signer=self.desk_identity)
        self.services = ServiceStates(
            self.committer, self.clock, self.accounts.suspensions, eject=self.eject, board=self.notices
        )
        await self.services.load()

    async def _open_directory_log(self) -> None:
        """Before anybody is answered: what a release without a log has written down is entered first."""
        await self.committer.run(enter_older)
        source = StoredEntries(self.committer, tables.directory_entry)
        name, logs = directory_entries.NAME, self.settings.logs
        if self.node is None:
            opening = open_log(name, self.directory.path, source, logs, self.clock)
        else:
            pieces = StoredShelf(name, tables.directory_entry, self.store, self.committer)
            opening = show_log(name, self.directory, pieces, source, logs, self.clock)
        self.directory_log = DirectoryLog(await self._open.enter_async_context(opening))

    def _handlers(self, limits: Limits, context: ssl.SSLContext, policies: Handler) -> dict[str, Handler]:
        self.tenants = Tenants(
            self.accounts, self.committer, self.clock, trust=lambda root: tls.trust(context, root), sessions=self
        )
        handlers = Answering(
            tenants=self.tenants,
            directory=Directory(self.accounts, self.committer, limits, self.directory_log, self.eject),
            directory_log=self.directory_log,
            notices=self.notices,
            own_data=OwnData(self.committer, self.clock, self.settings.retention),
            policies=policies,
        ).handlers()
        return handlers if self.node is None else acted_on_everywhere(handlers, self.node.everywhere)

    def _services(self, limits: Limits, ledger: Ledger, rpc: Rpc) -> Services:
        """Whom the message path asks."""
        accounts = self.accounts
        return Services(
            admission=Admission(
                accounts,
                self.clock,
                registration_code=self.directory.registration_code,
                sealed=self.settings.sealed,
                record=self._enrolment.record,
                until=self._guard.until,
            ),
            access=TopicAccess(accounts.recipients, accounts.suspensions.closed, accounts.departed),
            accounts=accounts,
            limits=limits,
            ledger=ledger,
            rpc=rpc,
            clock=self.clock,
        )

    async def _start_exchange(self) -> None:
        if self.node is None:
            await self.exchange.start(self.committer)
            return
        from blindrelay.relay.cluster.assembly import start_among_others  # noqa: PLC0415 - see `_join`

        await start_among_others(self.exchange, self.committer, self.node)

    async def _close_store(self, store: Store) -> None:
        if await self.committer.close(_FOR_THE_DISK * self.settings.drain_seconds):
            store.close()
        else:
            _log.error("the store does not answer, and the relay leaves")
            self.directory.keep_locked()

    # What the parts tell the whole.

    def _settle(self, *settled: object) -> None:
        self.exchange.settle(*settled)  # type: ignore[arg-type]  # the committer is there before the exchange

    def _fail(self, failure: BaseException) -> None:
        _log.error("store failed")
        self._failure = failure
        self._failed.set()

    def _timed(self, seconds: float, messages: int, outcome: Outcome) -> None:
        self._counts.commits.observe(seconds)
        if self._traced is not None:
            self._traced(seconds, messages, outcome.value)

    def _enrolled(self, account_id: int) -> None:
        if self.node is not None:
            self.node.enrolled(account_id)

    def _send_away_unrecorded(self, device: DeviceIdentity) -> None:
        self.exchange.disconnect(lambda other: other == device, DisconnectReasonCode.QUOTA_EXCEEDED)

    def eject(self) -> None:
        """Close every connection whose identity no longer stands."""
        suspensions = self.accounts.suspensions
        for jurisdiction in suspensions.jurisdictions:
            tenants = frozenset(suspensions.tenants(jurisdiction))
            self.exchange.disconnect(
                lambda identity, tenants=tenants: isinstance(identity, DeviceIdentity) and identity.tenant in tenants,  # type: ignore[misc]
                DisconnectReasonCode.ADMINISTRATIVE_ACTION,
                sentence(jurisdiction),
            )
        stands = self.accounts.stands
        self.exchange.disconnect(lambda identity: not stands(identity), DisconnectReasonCode.NOT_AUTHORIZED)

    def _nudge(self, matches: Callable[[DeviceAddress], bool]) -> None:
        """Let connected devices know that there is something to ask for."""
        self.exchange.tell(
            lambda identity: isinstance(identity, DeviceIdentity) and matches(identity.address),
            Nudge().model_dump_json().encode(),
        )

    async def forget(self, account_id: int) -> None:
        """End what is kept of a device's MQTT sessions."""
        await self.exchange.sessions.forget(account_id)

    def logged(self) -> None:
        """The log `directory` may have a new entry."""
        self.directory_log.wake()

    def log_key(self) -> str:
        """The verifier key of the log `directory`, as it signs now."""
        return str(self.directory_log.log.settings.trust.log)

    async def everywhere(self) -> None:
        """Wait until every node acts by what has been written down."""
        if self.node is not None:
            await self.node.everywhere()

    async def ask_store(self) -> None:
        """Raises what the store raises."""
        await self.committer.run(lambda connection: None)
