"""A whole relay: everything wired together, started in order and stopped in the opposite one.

    async with Relay(Settings(data_dir=folder, port=0)) as relay:
        ...  # listens on relay.port

`blindrelay.relay.process` runs one as a process of its own.
"""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import structlog
from mqtt5 import DisconnectReasonCode

from blindrelay.policies import leaves as lawful_access
from blindrelay.protocol import rpc
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.protocol.notices import Nudge
from blindrelay.protocol.transparency import directory as directory_entries
from blindrelay.relay import logs, tls
from blindrelay.relay.access import TopicAccess
from blindrelay.relay.accounts import NUMBERS_AT_ONCE, Accounts, Write, reserve_numbers
from blindrelay.relay.admission import Admission
from blindrelay.relay.cluster import identity
from blindrelay.relay.config import Limits as LimitSettings
from blindrelay.relay.config import Settings
from blindrelay.relay.counts import Counts
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.notices import NoticeBoard
from blindrelay.relay.desk.preservation import Preservations
from blindrelay.relay.desk.service import ServiceStates
from blindrelay.relay.directory import Directory
from blindrelay.relay.errors import AddressInUse, BadConfiguration, StartupError, StoreError, StoreFailed
from blindrelay.relay.exchange import Exchange, Services
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Identity
from blindrelay.relay.ledger import Ledger
from blindrelay.relay.limits import Limits
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.mqtt.listener import Listener, TimeLimits, listening_socket
from blindrelay.relay.my_data import Windows, my_data
from blindrelay.relay.operations.assembly import open_operations
from blindrelay.relay.operations.view import View
from blindrelay.relay.retention import Purge
from blindrelay.relay.rpc import Handler, Rpc
from blindrelay.relay.store import tables
from blindrelay.relay.store.committer import Committer, Outcome
from blindrelay.relay.store.engine import Store
from blindrelay.relay.store.sqlite import SqliteStore
from blindrelay.relay.suspension import sentence
from blindrelay.relay.tenants import Tenants
from blindrelay.relay.transparency.assembly import open_log, open_to_all, show_log
from blindrelay.relay.transparency.directory import DirectoryLog, enter_older
from blindrelay.relay.transparency.entries import StoredEntries
from blindrelay.relay.transparency.stored_shelf import StoredShelf

if TYPE_CHECKING:
    from starlette.routing import Route

    from blindrelay.relay.cluster.connections import SharedConnections
    from blindrelay.relay.cluster.duties import LeaderDuties
    from blindrelay.relay.cluster.node import Node
    from blindrelay.relay.desk.desk import Desk

# How late the end of a certificate may be noticed on a connection that is silent. Seconds.
_GUARD_INTERVAL: Final = 0.5
# How late what has expired is deleted. Seconds.
_SWEEP_INTERVAL: Final = 60.0
# How late the purge job may find that a retention window, of days, has passed. Seconds.
_PURGE_INTERVAL: Final = 3_600.0

# Open files that are no connections: the database, its journal and readers, the event loop, what embeds us.
_OTHER_FILES: Final = 64

# How much of `drain_seconds` may be spent on clients and on the disk. The rest is for what answers by itself: desk and logs,
# two seconds at most, and the witness.
_FOR_CLIENTS: Final = 0.4
_FOR_THE_DISK: Final = 0.1
# To listen on all addresses is to have none that clients could be told.
_ANYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - the operator's choice
#: What is answered when all nodes act by it.
_EVERYWHERE: Final = (rpc.REGISTER_TENANT.name, rpc.REVOKE_DEVICE.name, rpc.PUBLISH_STATEMENT.name)

_log = structlog.get_logger()

#: Given the settings of a relay that has its data directory: a context, for as long as it has, and the settings to use in it.
Attend = Callable[[Settings], AbstractAsyncContextManager[Settings]]


class Relay:
    """A relay in this event loop. An async context manager; a relay that was stopped is not started again.

    Args:
        settings: see `config.Settings`.
        clock: what time it is; for tests and simulations.
        times: how long peers may keep us waiting.
        door: a bound socket to listen on instead of the configured port. It stays the caller's, who can hand it to the
            next relay: nobody else gets the port in between, and clients who come meanwhile wait for it.
        attend: what is to be there as long as the relay has its data directory, and what settings come of it.

    Attributes:
        port: that it listens on; of interest when the configured one is 0.
        exchange, accounts, store, committer, tenants: its parts, for tests and for what runs in the same process.
        notices, services: what users are told, and where the service is suspended.
        desk_identity: what the desk signs with; None without a desk.
        desk, desk_port: the lawful desk, and where authorities meet it; None without one.
        operations_port: where the operator sees how it does; None without an endpoint.
        elsewhere: where clients are to go on when this relay stops, as host:port; asked then.
        node: this relay as one of several nodes; None when it is the only one.
        directory_log, logs_port: the public log of the directory, and where everybody reads the logs.
    """

    exchange: Exchange
    accounts: Accounts
    store: Store
    committer: Committer
    tenants: Tenants
    notices: NoticeBoard
    services: ServiceStates
    desk_identity: DeskIdentity | None
    directory_log: DirectoryLog
    logs_port: int
    operations_port: int | None

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        *,
        times: TimeLimits | None = None,
        door: socket.socket | None = None,
        attend: Attend | None = None,
    ) -> None:
        self.settings = settings
        self.port = settings.port
        self._clock = clock or SystemClock()
        self._times = times or TimeLimits()
        self._door = door
        self._attend = attend
        self._open = contextlib.AsyncExitStack()
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()
        self._is_serving = False
        self._traced: Callable[[float, int, str], None] | None = None
        self._next_expiry = float("inf")
        self._directory: DataDirectory
        self.elsewhere: Callable[[], Sequence[str]] = lambda: self.settings.elsewhere
        self.node: Node | None = None
        self.desk: Desk | None = None
        self.desk_port: int | None = None

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self.settings.host

    @property
    def address(self) -> str:
        """Host and port, as clients write them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def certificate(self) -> Path:
        """The file with the certificate that clients trust."""
        return self._directory.certificate

    @property
    def identity(self) -> Path:
        """The folder of what the relay is known by: the data directory, or what the nodes of a cluster have in common."""
        return self._directory.identity

    @property
    def registration_code(self) -> str:
        """Whoever holds it may register tenants."""
        return self._directory.registration_code

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the data directory and listen.

        Raises:
            StartupError: it cannot; the subclass says which part, the message what to do. Nothing is left open.
        """
        if not structlog.is_configured():  # its defaults print tracebacks, with what every variable held
            logs.configure()
        try:
            await self._start()
        except BaseException:
            await self._open.aclose()
            raise

    async def stop(self) -> None:
        """Stop accepting, finish the commits under way, answer them, say goodbye (`parting`), close: within `drain_seconds`.

        Does not raise what made the relay fail: see `wait_failed`.
        """
        await self._open.aclose()

    async def wait_failed(self) -> None:
        """Wait until the store fails, and raise `StoreFailed`. A relay that does not fail keeps this waiting for ever."""
        await self._failed.wait()
        if isinstance(self._failure, StartupError):  # what could have kept it from starting
            raise self._failure
        raise StoreFailed(f"the store failed and the relay leaves: {self._failure}") from self._failure

    async def _start(self) -> None:
        stack, clock = self._open, self._clock
        self._directory = stack.enter_context(self._open_directory())
        if self._attend is not None:
            self.settings = await stack.enter_async_context(self._attend(self.settings))
        settings = self.settings
        context = tls.server_context(self._directory.certificate, self._directory.key)
        self.store = store = self._open_store()
        limits = Limits(_within_open_files(settings.limits), clock)
        self.accounts = accounts = Accounts(
            clock,
            self._quota if settings.store is None else None,  # which is then the store's business
            devices_per_tenant=settings.limits.devices_per_tenant,
        )
        self._counts = counts = Counts()
        self.committer = committer = Committer(store, settle=self._settle, failed=self._fail, timed=self._timed)
        stack.push_async_callback(self._close_store, store)
        await self._join(accounts, context)
        accounts.restore(await committer.read(Accounts.read))
        accounts.numbers.add(await committer.run(reserve_numbers))
        for tenant in accounts.tenants():
            tls.trust(context, tenant.der)
        # The desk signs what users are told. Without a desk nobody is told anything, and nobody suspends anything.
        self.desk_identity = DeskIdentity.open(self._directory.identity, clock) if settings.desk.enabled else None
        self.notices = NoticeBoard(committer, clock, nudge=self._nudge, signer=self.desk_identity)
        self.services = ServiceStates(committer, clock, accounts.suspensions, eject=self.eject, board=self.notices)
        await self.services.load()
        await self._open_directory_log()
        ledger = Ledger(committer, clock)
        rpc = Rpc(self._handlers(limits, lambda root: tls.trust(context, root)), limits, accounts.stands)
        self.exchange = Exchange(
            Services(
                admission=Admission(
                    accounts,
                    clock,
                    registration_code=self._directory.registration_code,
                    sealed=settings.sealed,
                    record=self._record,
                    until=self._until,
                ),
                access=TopicAccess(accounts.recipients, accounts.suspensions.closed),
                accounts=accounts,
                limits=limits,
                ledger=ledger,
                rpc=rpc,
                clock=clock,
            ),
            counts,
        )
        await self._start_exchange()
        await self._open_desk(ledger)
        self._retention = Purge(committer, clock, settings.retention)
        await self._open_traces(rpc)
        door = self._take_door()
        stack.callback(door.close)
        logs, others = {directory_entries.NAME: self.directory_log.log}, list["Route"]()
        if self.desk is not None:
            logs[lawful_access.NAME] = self.desk.disclosures.log
            others.append(self._public_report(self.desk))
        view = View(
            exchange=self.exchange,
            accounts=accounts,
            retention=self._retention,
            logs=logs,
            requests=rpc.counts,
            files=store.files,
            folder=self._directory.path,
            clock=clock,
            began_at=self._clock.now(),
            fault=self._fault,
            ask_store=self._ask_store,
        )
        self.operations_port = await stack.enter_async_context(open_operations(view, settings))
        self.logs_port = await stack.enter_async_context(open_to_all(logs, others, self._directory, settings))
        for work in (self._guard(), *self._chores()):
            stack.push_async_callback(_cancel, asyncio.create_task(work))
        if self.node is not None:
            await self.node.start(
                self.exchange, self._duties(), limits, settings.limits.tenant_rate, address=self._reached_at
            )
            stack.push_async_callback(self.node.stop_leading)
        # The last to open is the first to close.
        listener = Listener(self.exchange, limits, clock, tls=context, times=self._times, proxies=settings.proxies)
        stack.push_async_callback(self._leave, listener)
        listener.start(door)
        self._is_serving = True

    def _fault(self) -> str | None:
        """Why clients are not to be sent here, as far as that is known without asking."""
        if self._failure is not None:
            return "the store failed"
        if self.node is not None and not self.node.is_here:
            return "it does not hear what other nodes change: the database cannot be reached"
        return None if self._is_serving else "it is starting or stopping"

    async def _ask_store(self) -> None:
        await self.committer.run(lambda connection: None)

    async def _open_traces(self, rpc: Rpc) -> None:
        if self.settings.operations.traces is None:
            return
        # Optional packages: a relay without traces has none of them loaded.
        try:
            from blindrelay.relay.operations.traces import open_traces  # noqa: PLC0415
        except ImportError as error:
            raise BadConfiguration("operations.traces needs packages that are not here: blindrelay[traces]") from error

        traces = await self._open.enter_async_context(open_traces(self.settings.operations, self._clock))
        self._traced, rpc.timed, self._retention.timed = traces.commit, traces.request, traces.purge

    def _timed(self, seconds: float, messages: int, outcome: Outcome) -> None:
        self._counts.commits.observe(seconds)
        if self._traced is not None:
            self._traced(seconds, messages, outcome.value)

    def _take_door(self) -> socket.socket:
        """The socket to listen on. Whoever comes before we accept waits in its backlog."""
        try:
            door = listening_socket(self.settings.host, self.settings.port) if self._door is None else self._door.dup()
        except OSError as error:
            raise AddressInUse(
                f"{self.address} cannot be listened on ({error.strerror}): stop what uses it, or choose another address"
            ) from error
        self.port = int(door.getsockname()[1])
        return door

    # With other nodes.

    def _open_directory(self) -> DataDirectory:
        now, settings = self._clock.now(), self.settings
        if settings.cluster is None:
            return DataDirectory.open(settings.data_dir, now=now)
        if settings.store is None:
            raise BadConfiguration(
                "nodes of one relay share a PostgreSQL database, and this one has SQLite: "
                "give --store postgresql://USER@HOST/DATABASE"
            )
        identity.check(settings.cluster.identity_dir)
        return DataDirectory.open(settings.data_dir, now=now, identity=settings.cluster.identity_dir)

    async def _join(self, accounts: Accounts, context: ssl.SSLContext) -> None:
        """Before anything is read that is kept in memory: what other nodes change from now on is followed."""
        cluster, store = self.settings.cluster, self.settings.store
        if cluster is None or store is None:
            return
        # Drivers that a relay of one node does without.
        from blindrelay.relay.cluster.node import Hooks, Node  # noqa: PLC0415

        self.node = await Node.join(cluster, store.get_secret_value(), self.committer, self._clock, self._fail)
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

    async def _start_exchange(self) -> None:
        if self.node is None:
            await self.exchange.start(self.committer)
            return
        from blindrelay.relay.cluster.sessions import SharedSessions  # noqa: PLC0415 - see `_join`

        sessions = self.node.sessions = SharedSessions(self.committer, self.exchange.now, self.node.number)
        await self.exchange.start(self.committer, sessions)
        self.exchange.neighbours = self.node

    def _duties(self) -> "LeaderDuties":
        from blindrelay.relay.cluster.duties import LeaderDuties  # noqa: PLC0415 - see `_join`

        assert self.node is not None  # noqa: S101 - it is called for one alone
        return LeaderDuties(
            self.directory_log.log,
            {
                self.exchange.sweep: _SWEEP_INTERVAL,
                self._retention.run: _PURGE_INTERVAL,
                self.node.keep_house: _PURGE_INTERVAL,
            },
        )

    def _chores(self) -> list[Coroutine[Any, Any, None]]:
        """What is done now and then, here; of several nodes one does most of it: see `_duties`."""
        return [self._sweep(), self._purge()] if self.node is None else [self._forget_rings()]

    async def _forget_rings(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL)
            self.exchange.forget_rings()

    @property
    def _quota(self) -> Quota:
        return Quota(self.settings.limits.mailbox_messages, self.settings.limits.mailbox_bytes)

    def _open_store(self) -> Store:
        if self.settings.store is None:
            self._directory.refuse_moved()
            return SqliteStore.open(self._directory.database)
        # A driver that a relay on SQLite does without.
        from blindrelay.relay.store.postgres.address import Address  # noqa: PLC0415
        from blindrelay.relay.store.postgres.store import PostgresStore  # noqa: PLC0415

        return PostgresStore.open(Address.parse(self.settings.store.get_secret_value()), self._quota)

    async def _open_directory_log(self) -> None:
        """Before anybody is answered: what a release without a log has written down is entered first."""
        await self.committer.run(enter_older)
        source = StoredEntries(self.committer, tables.directory_entry)
        name, logs = directory_entries.NAME, self.settings.logs
        if self.node is None:
            opening = open_log(name, self._directory.path, source, logs, self._clock)
        else:
            pieces = StoredShelf(name, tables.directory_entry, self.store, self.committer)
            opening = show_log(name, self._directory, pieces, source, logs, self._clock)
        self.directory_log = DirectoryLog(await self._open.enter_async_context(opening))

    async def _open_desk(self, ledger: Ledger) -> None:
        """Before anybody may write: preservations and real-time orders that run are in force from the first message on."""
        if self.desk_identity is None:
            return
        if self.node is not None:
            await self.node.take_desk()
        # A relay without a desk has no use for the web server and the policy engine: they take half a second to load.
        from blindrelay.relay.desk.assembly import Surroundings, open_desk, open_streams  # noqa: PLC0415

        stack, directory = self._open, self._directory
        streams = await stack.enter_async_context(
            open_streams(
                self.store.metadata_reader,
                self.exchange,
                ledger,
                self._clock,
                self.settings.retention,
                connections=self._connections(),
            )
        )
        around = Surroundings(
            folder=directory.path,
            keys=directory.identity,
            metadata=self.store.metadata_reader,
            certificate=directory.certificate,
            key=directory.key,
            identity=self.desk_identity,
            preservation=Preservations(self.committer, self._clock),
            streams=streams,
            services=self.services,
            notices=self.notices,
            tenants=self.tenants,
        )
        self.desk, self.desk_port = await stack.enter_async_context(open_desk(around, self.settings, self._clock))

    def _connections(self) -> "SharedConnections | None":
        if self.node is None:
            return None
        from blindrelay.relay.cluster.connections import SharedConnections  # noqa: PLC0415 - see `_join`

        return SharedConnections(self.committer)

    def _public_report(self, desk: "Desk") -> "Route":
        from blindrelay.relay.desk.public import PublicReport  # noqa: PLC0415 - as the desk

        relay = "" if self.desk_identity is None else self.desk_identity.id
        return PublicReport(desk.journal, relay, self._clock).route()

    def _handlers(self, limits: Limits, trust: Callable[[bytes], None]) -> dict[str, Handler]:
        directory = Directory(self.accounts, self.committer, limits, self.directory_log, self.eject)
        self.tenants = tenants = Tenants(self.accounts, self.committer, self._clock, trust=trust, sessions=self)
        # One at a time: a look at the traffic of a large relay takes seconds of a reader's time.
        desk = asyncio.Lock()

        async def tell(identity: DeviceIdentity, _: rpc.Empty) -> rpc.MyData:
            async with desk:
                windows = Windows(int(self._clock.now()), self.settings.retention)
                return rpc.MyData(records=await my_data(self.committer, identity.address.owner, windows))

        handlers: dict[str, Handler] = {
            rpc.REGISTER_TENANT.name: tenants.register,
            rpc.LOOK_UP_TENANT.name: directory.look_up_tenant,
            rpc.REVOKE_DEVICE.name: tenants.revoke,
            rpc.PUBLISH_STATEMENT.name: directory.publish_statement,
            rpc.PUBLISH_PREKEYS.name: directory.publish_prekeys,
            rpc.COUNT_PREKEYS.name: directory.count_prekeys,
            rpc.CLAIM_PREKEYS.name: directory.claim_prekeys,
            rpc.LOOK_UP_USER.name: directory.look_up_user,
            rpc.PROVE_HEAD.name: self.directory_log.prove_head,
            rpc.LOG_POLICIES.name: self._log_policies,
            rpc.MY_DATA.name: tell,
            rpc.NOTICES.name: self.notices.ask,
        }
        if self.node is not None:
            for name in _EVERYWHERE:
                handlers[name] = _acted_on(handlers[name], self.node.everywhere)
        return handlers

    async def _log_policies(self, _: Identity, __: rpc.Empty) -> rpc.LogPolicies:
        lawful = None if self.desk is None else str(self.desk.disclosures.log.settings.trust)
        return rpc.LogPolicies(directory=str(self.directory_log.log.settings.trust), lawful_access=lawful)

    async def _leave(self, listener: Listener) -> None:
        self._is_serving = False
        await listener.stop_accepting()
        await self.exchange.stop(_FOR_CLIENTS * self.settings.drain_seconds, await self._references())
        await listener.close()

    async def _references(self) -> Sequence[str]:
        """Where clients are to go on: as the operator says, or else to the other nodes that are there."""
        if said := self.elsewhere():
            return [" ".join(said)]
        return [] if self.node is None else await self.node.elsewhere()

    @property
    def _reached_at(self) -> str | None:
        """Where clients reach this node, if anybody knows."""
        assert self.settings.cluster is not None  # noqa: S101 - it is asked of a node alone
        is_near = self.host not in _ANYWHERE and not self.settings.proxies
        return self.settings.cluster.address or (self.address if is_near else None)

    async def _close_store(self, store: Store) -> None:
        if await self.committer.close(_FOR_THE_DISK * self.settings.drain_seconds):
            store.close()
        else:
            _log.error("the store does not answer, and the relay leaves")
            self._directory.keep_locked()

    # What the parts tell the whole.

    def _settle(self, *settled: object) -> None:
        self.exchange.settle(*settled)  # type: ignore[arg-type]  # the committer is there before the exchange

    def _fail(self, failure: BaseException) -> None:
        _log.error("store failed")
        self._failure = failure
        self._failed.set()

    def _record(self, identity: DeviceIdentity, write: Write) -> None:
        """Write down a new device. One that cannot be written down is sent away, and comes back later."""

        if self.node is not None:
            self.node.enrolled(identity.account_id)

        def recorded(future: "asyncio.Future[None]") -> None:
            if not future.cancelled() and future.exception() is not None:
                self.accounts.forget(identity.account_id)
                self.exchange.disconnect(lambda other: other == identity, DisconnectReasonCode.QUOTA_EXCEEDED)

        self.committer.submit(write).add_done_callback(recorded)
        if self.accounts.numbers.left == NUMBERS_AT_ONCE // 2:
            self.committer.submit(reserve_numbers).add_done_callback(self._numbered)

    def _numbered(self, future: "asyncio.Future[range]") -> None:
        if not future.cancelled() and future.exception() is None:
            self.accounts.numbers.add(future.result())

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

    # What happens now and then.

    async def keep_house(self) -> None:
        """Do at once what is done now and then, for whoever has moved the clock: end the sessions of certificates that have
        expired, do what has become due at the desk, delete what has expired and what is past its retention window. Raises
        what the store raises."""
        self.eject()
        # Before anything is deleted: a package that is due today holds what is there today.
        if self.desk is not None:
            await self.desk.tick()
        await self.exchange.sweep()
        await self._retention.run()
        await self.directory_log.log.publish()
        if self.desk is not None:
            await self.desk.disclosures.log.publish()

    def _until(self, expires_at: float) -> None:
        self._next_expiry = min(self._next_expiry, expires_at)

    async def _guard(self) -> None:
        """End the sessions of certificates that expire while connected."""
        while True:
            await asyncio.sleep(_GUARD_INTERVAL)
            if self._clock.now() >= self._next_expiry:
                self.eject()
                self._next_expiry = min(
                    (
                        peer.identity.expires_at
                        for peer in self.exchange.peers
                        if isinstance(peer.identity, DeviceIdentity | AdministratorIdentity)
                    ),
                    default=float("inf"),
                )

    async def _sweep(self) -> None:
        """Delete what has expired."""
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL)
            with contextlib.suppress(StoreError):  # full: the next time. Failed: somebody else says so
                await self.exchange.sweep()

    async def _purge(self) -> None:
        """Delete the records whose retention window has passed: at the start, and then every hour."""
        while True:
            with contextlib.suppress(StoreError):
                await self._retention.run()
            await asyncio.sleep(_PURGE_INTERVAL)


def _acted_on(handler: Handler, everywhere: Callable[[], Awaitable[None]]) -> Handler:
    """The same, answered when every node acts by it."""

    async def handle(identity: Any, request: Any) -> Any:
        answer = await handler(identity, request)
        await everywhere()
        return answer

    return handle


def _within_open_files(limits: LimitSettings) -> LimitSettings:
    """A connection is an open file: past the process's limit the store could not open one of its own (class M11)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    return limits.model_copy(update={"max_connections": max(1, min(limits.max_connections, soft - _OTHER_FILES))})


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
