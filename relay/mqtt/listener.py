"""The shell around the session: sockets, TLS, time limits and bounded buffers. It waits and never decides.

All limits of time are looked at by one sweep, so that a message never costs a timer. What bounds memory for one connection:

- incoming: 8 KiB before CONNECT is complete; then one packet, `MAX_PACKET` at most, and the payloads that wait for the store
  (`exchange.UNDECIDED_LIMIT`, then we stop reading; TCP and the Receive Maximum bound the rest);
- outgoing: `WRITE_HIGH` in the transport, after which nothing is delivered, and `ANSWERS_LIMIT` of answers to what it sends,
  after which it is not read; `SEND_BUFFER` in the kernel.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from mqtt5 import DisconnectReasonCode

from blindrelay.protocol.clock import Clock
from blindrelay.relay.exchange import Exchange
from blindrelay.relay.mqtt.proxied import Proxies, behind
from blindrelay.relay.mqtt.states import State
from blindrelay.relay.peer import Hold, Peer
from blindrelay.relay.ports import Limits

WRITE_HIGH: Final = 262_144
WRITE_LOW: Final = 65_536
ANSWERS_LIMIT: Final = 65_536
# The kernel doubles it for its own bookkeeping. Unbounded, a connection that does not read takes 4 MB [measured on Linux].
SEND_BUFFER: Final = 131_072
# Connections in their TLS handshake at once; what is beyond waits in the backlog of the listening socket.
MAX_HANDSHAKES: Final = 256
BACKLOG: Final = 4_096


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds. Each is how long a peer may keep us waiting for something that takes an honest one far less."""

    handshake: float = 10.0
    #: From the end of the handshake to the last byte of CONNECT.
    connect: float = 10.0
    #: From the first byte of a packet to its last: the largest one at 5 kB/s.
    packet: float = 60.0
    #: How long the network may take nothing of what we write.
    stall: float = 60.0
    #: From our last byte to the end of the connection, which is then cut.
    linger: float = 0.5
    #: Between two sweeps: how late a limit may strike.
    sweep: float = 0.25


class Connection(asyncio.Protocol, Peer):
    """One client, from the end of its TLS handshake to the end of its socket."""

    __slots__ = (
        "_answers",
        "_closed_at",
        "_connected_at",
        "_heard_at",
        "_listener",
        "_packets",
        "_paused_at",
        "_transport",
    )

    def __init__(self, listener: "Listener", address: str) -> None:
        Peer.__init__(self, address, None)
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._packets = 0  # as the session counts them, when we last looked
        self._connected_at = 0.0
        self._heard_at = (
            0.0  # when the last packet was complete, or reading went on: keep alive, and a partial packet's age
        )
        self._paused_at: float | None = None  # the transport takes nothing
        self._answers = 0  # bytes written since
        self._closed_at: float | None = None

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over, and what certificate there is has been verified."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.certificate = tls.getpeercert(binary_form=True)
        self._connected_at = self._heard_at = self._listener.monotonic()
        self._listener.remember(self)

    def data_received(self, data: bytes) -> None:
        """Bytes in, events out, bytes out."""
        session = self.session
        session.receive_data(data)
        if session.packets != self._packets:
            self._packets = session.packets
            self._heard_at = self._listener.monotonic()
        events = session.events()
        if events or session.state is State.CLOSED:
            self._listener.exchange.carry_out(self, events)
        self.flush()

    def pause_writing(self) -> None:
        """The network does not take what we write: deliver nothing more."""
        self.writable = False
        self._paused_at = self._listener.monotonic()
        self._answers = 0

    def resume_writing(self) -> None:
        """It does again."""
        self.writable = True
        self._paused_at = None
        self.unhold(Hold.ANSWERS)
        self._listener.exchange.writable(self)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._transport = None
        self._listener.forget(self)
        self._listener.exchange.leave(self)
        self.session.drop()

    # The exchange calls these.

    def flush(self) -> None:
        """Write what the session has to say, as one piece, and close when that was the end."""
        session, transport = self.session, self._transport
        if transport is None:
            return
        while data := session.data_to_send():
            transport.write(data)
            if not self.writable:
                self._answers += len(data)
                if self._answers > ANSWERS_LIMIT:
                    self.hold(Hold.ANSWERS)
            elif self.delivery is not None:
                self.delivery.pump()  # the outbox has room again
        if session.state is State.CLOSED and self._closed_at is None:
            self._closed_at = self._listener.monotonic()
            transport.close()

    def pause_reading(self) -> None:
        """Stop reading from the network."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again. While we did not read, the peer could not be heard: its time limits begin anew."""
        if self._transport is not None and not self._transport.is_closing():
            self._heard_at = self._listener.monotonic()
            self._transport.resume_reading()

    # The sweep calls this.

    def check_time(self, now: float, limits: TimeLimits) -> None:
        """End the connection if one of its time limits has passed."""
        session = self.session
        if self._closed_at is not None:
            if now - self._closed_at >= limits.linger:
                self.abort()
        elif self._paused_at is not None and now - self._paused_at >= limits.stall:
            self.abort()
        elif session.state is State.EXPECTING_CONNECT:
            if now - self._connected_at >= limits.connect:
                self._end(DisconnectReasonCode.MAX_CONNECT_TIME)  # before CONNACK nothing is sent [3.14.0-1]
        elif session.state is State.CONNECTED and not self.held:
            silence = now - self._heard_at
            if silence >= 1.5 * session.keep_alive:  # [3.1.2-22]
                self._end(DisconnectReasonCode.KEEP_ALIVE_TIMEOUT)
            elif session.is_partial and silence >= limits.packet:
                self._end(DisconnectReasonCode.MAX_CONNECT_TIME)

    def _end(self, code: DisconnectReasonCode) -> None:
        self._listener.exchange.end(self, code)

    def abort(self) -> None:
        """Cut the connection: what has not been written is lost."""
        if self._transport is not None:
            self._transport.abort()


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there, for a `Listener`. Raises OSError when the address cannot be had."""
    return socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
    )


class Listener:
    """Accepts connections, and watches their time.

    Args:
        exchange: carries out what they say.
        limits: who may connect.
        clock: for the time limits.
        tls: TLS 1.3 with optional client certificates; None for tests on the loopback alone.
        times: the time limits.
        proxies: balancers, who say first whose connection it is.
    """

    def __init__(  # noqa: PLR0913 - each is handed in, and half of them have their usual value
        self,
        exchange: Exchange,
        limits: Limits,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None,
        times: TimeLimits = TimeLimits(),
        proxies: Sequence[str] = (),
    ) -> None:
        self._proxies = Proxies(proxies)
        self.exchange = exchange
        self.connections: set[Connection] = set()
        self.monotonic = clock.monotonic
        self._limits = limits
        self._tls = tls
        self._times = times
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._room = asyncio.Semaphore(MAX_HANDSHAKES)
        self._sweeping: asyncio.TimerHandle | None = None

    def start(self, door: socket.socket) -> int:
        """Listen on `door`, which is closed in the end; return its port. Raises OSError when that is not possible."""
        self._socket = door
        door.listen(BACKLOG)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # inherited by what is accepted
        # Inherited, too: asyncio, unlike uvloop, leaves it out for what it accepts. Without it, an answer behind an
        # acknowledgement waits 40 ms for the peer's own (RFC 896 meets RFC 1122, 4.2.3.2).
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        door.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(door))
        self._next_sweep()
        return int(door.getsockname()[1])

    async def stop_accepting(self) -> None:
        """Take no more connections; those that are there go on."""
        tasks = [task for task in (self._accepting, *self._handshakes) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def close(self) -> None:
        """Cut what is left after `Exchange.stop` said goodbye and `TimeLimits.linger` has passed."""
        await self.stop_accepting()
        await self._wait_empty()
        for connection in list(self.connections):
            connection.abort()
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._wait_empty()

    async def _wait_empty(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), self._times.linger)

    def remember(self, connection: Connection) -> None:
        """A connection has begun."""
        self.connections.add(connection)
        self._empty.clear()

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()
        self._limits.disconnected(connection.address)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                accepted, name = await loop.sock_accept(listening)
            except OSError:
                # Out of file descriptors or memory (class M11), or the peer is gone already: stay alive, and look again.
                self._room.release()
                await asyncio.sleep(self._times.sweep)
                continue
            address = str(name[0])
            if address in self._proxies:
                work = self._hear_whose(accepted, address)
            elif self._limits.connecting(address):
                work = self._shake_hands(accepted, address)
            else:
                self._room.release()
                accepted.close()
                continue
            task = loop.create_task(work)
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _hear_whose(self, accepted: socket.socket, address: str) -> None:
        """The same for a connection that a balancer hands on."""
        try:
            async with asyncio.timeout(self._times.handshake):
                client = await behind(accepted) or address
        except (OSError, TimeoutError):
            client = None
        except BaseException:
            self._room.release()
            accepted.close()
            raise
        if client is None or not self._limits.connecting(client):
            self._room.release()
            accepted.close()
            return
        await self._shake_hands(accepted, client)

    async def _shake_hands(self, accepted: socket.socket, address: str) -> None:
        connection = Connection(self, address)
        times: dict[str, Any] = {}
        if self._tls is not None:
            times = {"ssl_handshake_timeout": self._times.handshake, "ssl_shutdown_timeout": self._times.linger}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._tls, **times
            )
        except OSError:  # no handshake, or not in time; `ssl.SSLError` and `TimeoutError` are OSErrors
            accepted.close()
        finally:
            self._room.release()
            if connection not in self.connections and connection.session.state is State.EXPECTING_CONNECT:
                self._limits.disconnected(address)

    def _next_sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeping = loop.call_later(self._times.sweep, self._sweep)

    def _sweep(self) -> None:
        now = self.monotonic()
        for connection in list(self.connections):
            connection.check_time(now, self._times)
        self._next_sweep()
