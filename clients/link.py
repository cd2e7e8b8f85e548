"""aiomqtt, mended for messages that must not get lost.

aiomqtt 2.5 (on paho-mqtt 2) is made for telemetry. What a messenger needs, and what this adapter changes:

- It acknowledges a message before the application has it: here `acknowledge` is called after the message is stored.
- It ignores the reason code of a PUBACK: here the sender's callback gets it, with the reason string.
- It hides the properties of CONNACK and DISCONNECT: here they are `Session` and `Ending`.
- It spends a task and a time-out on each publish, and warns at ten of them: here `post` returns at once.
- Entered a second time after a loss, it does not wait for CONNACK: here `open` begins with fresh futures.
- It registers a socket with the loop later, when it may be closed or be another's: here at once, on the loop's thread.
- It begins every connection with a clean start, or none: here the first one of a process alone.
- It leaves the socket open when CONNACK does not come, or on a cancel: here `open` closes it.

The names that it relies on are listed in tests/clients/test_link.py: a release of aiomqtt or paho that changes them fails
there, and not at somebody's desk.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from blindrelay.clients.errors import AdmissionRefused, ConnectionLost, HungUp, RelayUnreachable, TimedOut
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import CLIENT_VERSION_PROPERTY
from blindrelay.protocol.sizes import MAX_PACKET

CLIENT_VERSION_SENT: Final = "blindrelay/0.1"
# What the relay may send us ahead of our acknowledgements. At the largest envelope this is 16 MiB.
RECEIVE_MAXIMUM: Final = 64
# MQTT 5, 3.1.2.11.3: what a server that says nothing can take.
DEFAULT_RECEIVE_MAXIMUM: Final = 65_535
# Seconds. A relay that vanished without a word is noticed after at most twice this time.
KEEP_ALIVE: Final = 60
REFUSED: Final = 0x80

#: Called once per publish with PUBACK's reason code and reason string.
Settle = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Inbound:
    """A PUBLISH from the relay. `packet` is its packet identifier, 0 for QoS 0; `generation` tells connections apart."""

    topic: str
    payload: bytes = field(repr=False)
    correlation: bytes
    packet: int
    generation: int


@dataclass(frozen=True, slots=True)
class Session:
    """What the relay said in CONNACK."""

    resumed: bool
    client_id: str
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended: DISCONNECT's reason code, or None when it just broke. `elsewhere`: its Server Reference."""

    code: int | None
    reason: str
    elsewhere: str = ""


def _correlation(properties: Properties | None) -> bytes:
    return bytes(getattr(properties, "CorrelationData", b""))


def _reason(code: ReasonCode, properties: Properties | None) -> str:
    return str(getattr(properties, "ReasonString", "") or code.getName().lower())


def _elsewhere(properties: Properties | None) -> str:
    return str(getattr(properties, "ServerReference", ""))


class PublishProperties:
    """The properties of a PUBLISH, encoded as it is sent: the interval counts down until then (MQTT 5, 2.2.2 and 3.3.2.3).

    paho's own class spends 30 us on what is 25 bytes.
    """

    __slots__ = ("_clock", "_expires_at", "_rest")

    def __init__(
        self, correlation: bytes, *, response_topic: str = "", expires_at: int | None = None, clock: Clock
    ) -> None:
        self._rest = struct.pack("!BH", 0x09, len(correlation)) + correlation
        if response_topic:
            topic = response_topic.encode()
            self._rest += struct.pack("!BH", 0x08, len(topic)) + topic
        self._expires_at = expires_at
        self._clock = clock

    def pack(self) -> bytes:
        """Length and properties."""
        body = self._rest
        if self._expires_at is not None:
            # 0 would mean "never": a message that is over while it waits is taken out before, by the outbox.
            # It goes first: the relay reads these properties, in this order, without a decoder.
            body = struct.pack("!BI", 0x02, max(1, self._expires_at - int(self._clock.now()))) + body
        length = len(body)  # a variable byte integer; two bytes reach to 16,383, and a topic has 256 at most
        return (bytes([length]) if length < 0x80 else bytes([length & 0x7F | 0x80, length >> 7])) + body


class Link(aiomqtt.Client):
    """One MQTT client and, between `open` and the end, its one connection. It can be opened again, and then resumes.

    Args:
        client_id: the device's address, or empty for a connection that the relay names.
        session_expiry: seconds that the relay keeps the session; 0 ends it with the connection.
        received: called for every PUBLISH, on the event loop; must not raise or wait.
        ended: called once per connection that had a CONNACK, when it is over.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        *,
        client_id: str,
        session_expiry: int,
        received: Callable[[Inbound], None],
        ended: Callable[[Ending], None],
        username: str | None = None,
        password: bytes | None = None,
        timeout: float = 10.0,
    ) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = session_expiry
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAX_PACKET
        properties.UserProperty = [(CLIENT_VERSION_PROPERTY, CLIENT_VERSION_SENT)]
        super().__init__(
            host,
            port,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            keepalive=KEEP_ALIVE,
            # Only a client that still has its part of the session may resume it (3.2.2-4), and a process that begins
            # has none: packet identifiers are paho's, in memory. The mailbox does not depend on the session. See
            # `_on_connect`; paho's own "first only" counts anew with every connect.
            clean_start=True,
            # Flow control is ours (see `free`): paho's own bound cannot follow CONNACK.
            max_inflight_messages=0,
            max_queued_outgoing_messages=0,
            properties=properties,
            tls_context=context,
            timeout=timeout,
        )
        if username is not None:
            # paho takes bytes as they are; its annotation says str.
            self._client.username_pw_set(username, password)  # type: ignore[arg-type]
        self._client.manual_ack_set(True)
        self._context = context
        self._client._ssl_wrap_socket = self._secure  # type: ignore[method-assign, assignment]
        self._received = received
        self._ended = ended
        self._settles: dict[int, Settle] = {}
        self._window = 0
        self._admitted: asyncio.Future[Session] = self._loop.create_future()
        self._closing: asyncio.Future[None] | None = None
        self._up = False
        self._generation = 0
        self._loop_thread = threading.get_ident()
        self._securing: ssl.SSLSocket | None = None  # during a TLS handshake, on the executor's thread

    # --- what the connection above asks for

    @property
    def up(self) -> bool:
        """Whether there is a connection that the relay has admitted."""
        return self._up

    @property
    def free(self) -> int:
        """How many more messages may be published now (3.3.4-8: never more than the relay's Receive Maximum in flight)."""
        return self._window - len(self._settles) if self._up else 0

    def go_to(self, host: str, port: int) -> None:
        """Where `open` connects from now on."""
        self._hostname, self._port = host, port

    async def open(self) -> Session:
        """Connect and wait for CONNACK. Cancelling closes the connection that was under way.

        Raises:
            RelayUnreachable: no TCP or TLS connection; `HungUp`: it ended before CONNACK.
            AdmissionRefused: the relay answered with a refusal.
            TimedOut: there was no answer.
        """
        self._admitted = self._loop.create_future()
        self._generation += 1
        connecting = self._loop.run_in_executor(None, self._client_connect)
        try:
            await asyncio.shield(connecting)
            async with asyncio.timeout(self.timeout):
                return await self._admitted
        except ssl.SSLCertVerificationError as error:
            raise RelayUnreachable(
                f"what answers at {self._hostname}:{self._port} is not the relay whose CA certificate we hold: "
                f"{error.verify_message}"
            ) from error
        except TimeoutError as error:
            self.drop()
            raise TimedOut(
                f"the relay at {self._hostname}:{self._port} did not answer in {self.timeout:g} s"
            ) from error
        except OSError as error:
            raise RelayUnreachable(
                f"no relay answers at {self._hostname}:{self._port} ({error.strerror or error}); "
                "start one with `blindrelay up`"
            ) from error
        except asyncio.CancelledError:
            self._admitted.cancel()  # nobody will ask it for the error that it may still get
            if (
                self._securing is not None
            ):  # or its thread, and with it the program, would stay for the rest of the time-out
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._securing, socket.SHUT_RDWR)
            connecting.add_done_callback(self._drop_late)
            raise

    def _drop_late(self, connecting: "asyncio.Future[None]") -> None:
        if not connecting.cancelled():
            connecting.exception()  # seen: there is nobody left to tell
        self.drop()

    async def close(self) -> None:
        """Say DISCONNECT behind everything that is still to be written, then close. Does not raise if it is closed."""
        if not self._up:
            self.drop()
            return
        self._up = False
        done = self._closing = self._loop.create_future()
        try:
            self._client.disconnect()
            async with asyncio.timeout(self.timeout):
                await done
        except TimeoutError:
            pass  # the relay does not read; it will find out by keep-alive
        finally:
            self._closing = None
            self.drop()

    def drop(self) -> None:
        """Close the connection without a word, as a crash would. No `ended` is called for it."""
        self._up = False
        self._client._sock_close()

    def post(self, topic: str, payload: bytes, properties: PublishProperties, settle: Settle) -> None:
        """Send a QoS 1 PUBLISH; `free` must be positive.

        `settle` is called when its PUBACK comes, on this connection or, resent, on one that resumes the session. It is
        not called when the relay has lost the session: `Session.resumed` is false then, and the caller posts anew.
        """
        # paho asks `properties` for nothing but `pack()`.
        info = self._client.publish(topic, payload, qos=1, properties=properties)  # type: ignore[arg-type]
        self._settles[info.mid] = settle

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the relay that `inbound` is stored. Nothing happens if its connection is over: it will come again."""
        if inbound.packet and self._up and inbound.generation == self._generation:
            self._client.ack(inbound.packet, 1)

    async def subscribe_to(self, filters: list[str]) -> None:
        """Subscribe at QoS 1, all in one packet.

        Raises:
            AdmissionRefused: the relay refused one of them.
            ConnectionLost: no answer came.
        """
        asked = [(pattern, SubscribeOptions(qos=1)) for pattern in filters]
        try:
            granted = await self.subscribe(asked)
        except aiomqtt.MqttError as error:
            raise ConnectionLost("the connection ended while subscribing") from error
        for pattern, code in zip(filters, granted, strict=True):
            if isinstance(code, ReasonCode) and code.value >= REFUSED:
                raise AdmissionRefused(code.value, f"it does not let us subscribe to {pattern}")

    # --- what paho calls; see the table above

    def _on_connect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._admitted.done():
            return
        if reason_code.value >= REFUSED:
            self._admitted.set_exception(
                AdmissionRefused(reason_code.value, _reason(reason_code, properties), _elsewhere(properties))
            )
            return
        maximum = int(getattr(properties, "ReceiveMaximum", DEFAULT_RECEIVE_MAXIMUM))
        resumed = flags.session_present and len(self._settles) <= maximum
        if not resumed:
            # 3.2.2-5: no session there, so none here. Whoever published these publishes them again, as new packets.
            client.drop_out_messages()
            self._settles.clear()
        self._clean_start = False
        self._window = maximum
        self._up = True
        assigned = getattr(properties, "AssignedClientIdentifier", None)
        self._admitted.set_result(Session(resumed, str(assigned or self.identifier), maximum))

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._closing is not None:
            if not self._closing.done():
                self._closing.set_result(None)
            return
        told = flags.is_disconnect_packet_from_server
        self._over(
            Ending(reason_code.value, _reason(reason_code, properties), _elsewhere(properties))
            if told
            else Ending(None, "it broke")
        )

    def _over(self, ending: Ending) -> None:
        if not self._admitted.done():
            self._admitted.set_exception(
                HungUp(
                    f"the relay at {self._hostname}:{self._port} closed the connection before it answered; it does so when "
                    "it is stopping, and when it does not know the enterprise that vouches for this device"
                )
            )
        if self._up:
            self._up = False
            self._ended(ending)

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        self._received(
            Inbound(
                message.topic,
                bytes(message.payload),
                _correlation(message.properties),
                message.mid if message.qos else 0,
                self._generation,
            )
        )

    def _on_publish(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        settle = self._settles.pop(mid, None)
        if settle is not None:
            settle(reason_code.value, _reason(reason_code, properties) if reason_code.value >= REFUSED else "")

    def _secure(self, sock: socket.socket) -> ssl.SSLSocket:
        """Instead of paho's own, which leaves the socket open when the handshake fails. On the executor's thread."""
        secured = self._context.wrap_socket(sock, server_hostname=self._hostname, do_handshake_on_connect=False)
        try:
            secured.settimeout(self.timeout)
            self._securing = secured
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        finally:
            self._securing = None
        return secured

    def _on_socket_open(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        # On the executor's thread: paho connects there, because connecting blocks.
        self._loop.call_soon_threadsafe(self._watch, sock)

    def _watch(self, sock: Any) -> None:
        if sock.fileno() < 0:
            return
        self._loop.add_reader(sock.fileno(), self._read)
        self._misc_task = self._loop.create_task(self._misc_loop())

    def _read(self) -> None:
        client = self._client
        try:
            client.loop_read()
            # TLS hands out whole records: what is left of one does not wake the loop again.
            while isinstance(sock := client.socket(), ssl.SSLSocket) and sock.pending() > 0:
                client.loop_read()
        except Exception as error:  # noqa: BLE001 - paho lets through what its decoder and the socket raise
            self._break(error)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001 - as above
            self._break(error)

    def _break(self, error: Exception) -> None:
        self._client._sock_close()
        self._over(Ending(None, f"{type(error).__name__} while reading or writing"))

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        if threading.get_ident() == self._loop_thread:
            self._watch_writes(sock)
        else:
            self._loop.call_soon_threadsafe(self._watch_writes, sock)

    def _watch_writes(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.add_writer(sock.fileno(), self._write)
