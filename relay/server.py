"""A whole relay: everything wired together, started in order and stopped in the opposite one.

    async with Relay(Settings(data_dir=folder, port=0)) as relay:
        ...  # listens on relay.port

`blindrelay.relay.process` runs one as a process of its own.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import structlog

from blindrelay.protocol.clock import Clock
from blindrelay.relay import logs, tls
from blindrelay.relay.chores import forget_rings, purge, sweep
from blindrelay.relay.cluster.identity import open_directory
from blindrelay.relay.config import Settings
from blindrelay.relay.core import Core
from blindrelay.relay.doors import Doors
from blindrelay.relay.errors import AddressInUse, StartupError, StoreFailed
from blindrelay.relay.exchange import Exchange
from blindrelay.relay.ledger import Ledger
from blindrelay.relay.limits import Limits, within_open_files
from blindrelay.relay.mqtt.listener import Listener, TimeLimits, listening_socket
from blindrelay.relay.retention import Purge
from blindrelay.relay.rpc import Rpc

if TYPE_CHECKING:
    from blindrelay.relay.desk.desk import Desk

# How much of `drain_seconds` may be spent on clients. The rest is for the store, for what answers by itself, desk and logs, two
# seconds at most, and for the witness.
_FOR_CLIENTS: Final = 0.4
# To listen on all addresses is to have none that clients could be told.
_ANYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - the operator's choice
#: Given the settings of a relay that has its data directory: a context, for as long as it has, and the settings to use in it.
Attend = Callable[[Settings], AbstractAsyncContextManager[Settings]]


class Relay(Core):
    """A relay in this event loop, with its doors. An async context manager; a relay that was stopped is not started again.

    Args:
        settings: see `config.Settings`.
        clock: what time it is; for tests and simulations.
        times: how long peers may keep us waiting.
        door: a bound socket to listen on instead of the configured port. It stays the caller's, who can hand it to the
            next relay: nobody else gets the port in between, and clients who come meanwhile wait for it.
        attend: what is to be there as long as the relay has its data directory, and what settings come of it.

    Attributes:
        port: that it listens on; of interest when the configured one is 0.
        elsewhere: where clients are to go on when this relay stops, as host:port; asked then.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        *,
        times: TimeLimits | None = None,
        door: socket.socket | None = None,
        attend: Attend | None = None,
    ) -> None:
        super().__init__(settings, clock)
        self.port = settings.port
        self.elsewhere: Callable[[], Sequence[str]] = lambda: self.settings.elsewhere
        self._times = times or TimeLimits()
        self._door = door
        self._attend = attend
        self._doors = Doors(self, self._open)
        self._is_serving = False

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
        return self.directory.certificate

    @property
    def identity(self) -> Path:
        """The folder of what the relay is known by: the data directory, or what the nodes of a cluster have in common."""
        return self.directory.identity

    @property
    def registration_code(self) -> str:
        """Whoever holds it may register tenants."""
        return self.directory.registration_code

    @property
    def desk(self) -> "Desk | None":
        """The lawful desk; None without one."""
        return self._doors.desk

    @property
    def desk_port(self) -> int | None:
        """Where authorities meet the desk; None without one."""
        return self._doors.desk_port

    @property
    def logs_port(self) -> int:
        """Where everybody reads the logs."""
        return self._doors.logs_port

    @property
    def operations_port(self) -> int | None:
        """Where the operator sees how it does; None without an endpoint."""
        return self._doors.operations_port

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
        stack, clock = self._open, self.clock
        self.directory = stack.enter_context(open_directory(self.settings, clock.now()))
        if self._attend is not None:
            self.settings = await stack.enter_async_context(self._attend(self.settings))
        settings = self.settings
        context = tls.server_context(self.directory.certificate, self.directory.key)
        await self._open_accounts(context)
        await self._open_notices()
        await self._open_directory_log()
        limits = Limits(within_open_files(settings.limits), clock)
        ledger = Ledger(self.committer, clock)
        rpc = Rpc(self._handlers(limits, context, self._doors.log_policies), limits, self.accounts.stands)
        self.exchange = Exchange(self._services(limits, ledger, rpc), self._counts)
        await self._start_exchange()
        await self._doors.open_desk(ledger)
        self.retention = Purge(self.committer, clock, settings.retention)
        if (traces := await self._doors.open_traces()) is not None:
            self._traced, rpc.timed, self.retention.timed = traces.commit, traces.request, traces.purge
        door = self._take_door()
        stack.callback(door.close)
        await self._doors.open_to_lookers(rpc.counts)
        for work in (self._guard.watch(self.exchange.peers), *self._chores()):
            stack.push_async_callback(_cancel, asyncio.create_task(work))
        await self._start_node(limits)
        # The last to open is the first to close.
        listener = Listener(self.exchange, limits, clock, tls=context, times=self._times, proxies=settings.proxies)
        stack.push_async_callback(self._leave, listener)
        listener.start(door)
        self._is_serving = True

    def _chores(self) -> list[Coroutine[Any, Any, None]]:
        """What is done now and then, here; of several nodes one does most of it: see `cluster.assembly.duties`."""
        if self.node is None:
            return [sweep(self.exchange), purge(self.retention)]
        return [forget_rings(self.exchange)]

    def fault(self) -> str | None:
        """Why clients are not to be sent here, as far as that is known without asking."""
        if self._failure is not None:
            return "the store failed"
        if self.node is not None and not self.node.is_here:
            return "it does not hear what other nodes change: the database cannot be reached"
        return None if self._is_serving else "it is starting or stopping"

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

    async def _start_node(self, limits: Limits) -> None:
        if self.node is None:
            return
        from blindrelay.relay.cluster.assembly import duties  # noqa: PLC0415 - see `_join`

        work = duties(self.node, self.exchange, self.retention, self.directory_log.log)
        await self.node.start(self.exchange, work, limits, self.settings.limits.tenant_rate, address=self._reached_at)
        self._open.push_async_callback(self.node.stop_leading)

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

    async def keep_house(self) -> None:
        """Do at once what is done now and then, for whoever has moved the clock: end the sessions of certificates that have
        expired, do what has become due at the desk, delete what has expired and what is past its retention window. Raises
        what the store raises."""
        self.eject()
        # Before anything is deleted: a package that is due today holds what is there today.
        if self.desk is not None:
            await self.desk.tick()
        await self.exchange.sweep()
        await self.retention.run()
        await self.directory_log.log.publish()
        if self.desk is not None:
            await self.desk.disclosures.log.publish()


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
