"""A bare MQTT 5 connection over TLS, on the codec: no retries, no queues, no manners, so that everything is visible.

It is not the product's client on purpose: what that would smooth over is what the oracle wants to see.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import mqtt5

from blindrelay.protocol.errors import BlindrelayError

# A start of the relay takes a second; whoever has no CONNACK by then tries again. Seconds.
CONNECT_PATIENCE = 5.0
# We read little at a time, so that a client that stops reading is felt by the relay soon.
RECEIVE_BUFFER = 65_536

Packet = mqtt5.Packet


class NotAdmitted(BlindrelayError):
    """No CONNACK with success came; `code` is what came instead, 0 for nothing."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect to, as whom, and from which address; None: as the system likes."""

    host: str
    port: int
    context: ssl.SSLContext = field(repr=False)
    server_name: str = "localhost"
    source: str | None = None


class Wire(asyncio.Protocol):
    """One connection. `received` is called with each packet, `ended` once, with the DISCONNECT code or 0.

    `close` and `abort` end it; `ended` is called after these, too.
    """

    def __init__(self, received: Callable[[Packet], None], ended: Callable[[int], None]) -> None:
        self._received = received
        self._ended = ended
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._code = 0
        self.is_over = False

    @classmethod
    async def open(cls, endpoint: Endpoint, received: Callable[[Packet], None], ended: Callable[[int], None]) -> "Wire":
        """Connect, TLS included. Raises OSError."""
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(
            lambda: cls(received, ended),
            endpoint.host,
            endpoint.port,
            ssl=endpoint.context,
            server_hostname=endpoint.server_name,
            local_addr=None if endpoint.source is None else (endpoint.source, 0),
            ssl_handshake_timeout=CONNECT_PATIENCE,
            ssl_shutdown_timeout=1.0,
        )
        return wire

    @property
    def is_open(self) -> bool:
        """Whether anything that is written now is sent."""
        return self._transport is not None and not self.is_over and not self._transport.is_closing()

    def send(self, packet: Packet) -> None:
        """Write a packet; after the end, nothing happens."""
        if self._transport is not None and self.is_open:
            self._transport.write(packet.write())

    def pause(self) -> None:
        """Read no more until `resume`."""
        if self._transport is not None and self.is_open:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and self.is_open:
            self._transport.resume_reading()

    def close(self) -> None:
        """Say DISCONNECT and close."""
        self.send(mqtt5.DisconnectPacket())
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Be gone, without a word."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and not self.is_over:
            with memoryview(self._buffer) as view:
                try:
                    packet, consumed = mqtt5.read(view)
                except IndexError:
                    return
            del self._buffer[:consumed]
            if isinstance(packet, mqtt5.DisconnectPacket):
                self._code = int(packet.reason_code)
            self._received(packet)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_over:
            self.is_over = True
            self._ended(self._code)
