"""A client in a hundred lines: the `mqtt5` codec on a TLS stream. What it is told to send it sends, however wrong."""

import asyncio
import contextlib
import itertools
import os
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import mqtt5

from blindrelay.protocol import rpc, topics
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.rpc import Answer, Method
from blindrelay.protocol.sizes import MIN_ENVELOPE
from blindrelay.protocol.statements import Wire
from blindrelay.relay.server import Relay

from .tenants import Badge

P = TypeVar("P")

#: Nothing on the loopback takes this long; a test that waits for it has failed.
PATIENCE = 10.0


class Refused(Exception):
    """The relay has refused an rpc request."""

    def __init__(self, code: rpc.ErrorCode, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def tls_context(relay_certificate: Path, badge: Badge | None) -> ssl.SSLContext:
    """TLS 1.3 that trusts the relay's certificate and shows `badge`."""
    context = ssl.create_default_context(cafile=str(relay_certificate))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if badge is not None:
        context.load_cert_chain(badge.certificate_file, badge.key_file)
    return context


class Client:
    """One connection. Use as an async context manager; `connect` sends CONNECT and returns the CONNACK."""

    def __init__(self, relay: Relay, badge: Badge | None = None) -> None:
        self.badge = badge
        self.client_id = ""
        self.inbox: list[mqtt5.PublishPacket] = []
        self._relay = relay
        self._ids = itertools.cycle(range(1, 65_536))
        self._buffer = b""
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        context = tls_context(self._relay.certificate, self.badge)
        self._reader, self._writer = await asyncio.open_connection(
            self._relay.host, self._relay.port, ssl=context, server_hostname="localhost"
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def cut(self) -> None:
        """End the connection without DISCONNECT."""
        self._writer.transport.abort()

    def stop_reading(self) -> None:
        """Leave in the kernel's buffers what the relay sends from now on."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def connect(self, client_id: str | None = None, **options: Any) -> mqtt5.ConnAckPacket:
        """CONNECT; `client_id` None: the badge's own address, where it has one."""
        if client_id is None:
            client_id = str(self.badge.address) if self.badge and self.badge.address else ""
        options.setdefault("clean_start", True)
        self.send(mqtt5.ConnectPacket(client_id, **options))
        answer = await self.expect(mqtt5.ConnAckPacket)
        self.client_id = answer.assigned_client_id or client_id
        return answer

    def send(self, packet: mqtt5.Packet) -> None:
        """Send a packet."""
        self._writer.write(packet.write())

    async def read(self) -> mqtt5.Packet:
        """The next packet; raises `EOFError` when the relay has closed the connection."""
        while True:
            if self._buffer:
                with contextlib.suppress(IndexError):
                    packet, consumed = mqtt5.read(memoryview(self._buffer))
                    self._buffer = self._buffer[consumed:]
                    return packet
            try:
                data = await asyncio.wait_for(self._reader.read(65_536), PATIENCE)
            except (ConnectionError, ssl.SSLError) as error:
                raise EOFError(str(error)) from error
            if not data:
                raise EOFError("closed")
            self._buffer += data

    async def expect(self, kind: type[P]) -> P:
        """The next packet, which is to be of this kind; messages for the inbox are kept in `inbox` on the way."""
        while True:
            packet = await self.read()
            if isinstance(packet, kind):
                return packet
            if isinstance(packet, mqtt5.PublishPacket):
                self.inbox.append(packet)
            else:
                raise AssertionError(f"expected {kind.__name__}, got {packet!r}")  # noqa: TRY004 - a test has failed

    async def wait_closed(self) -> None:
        """Wait until the relay closes the connection."""
        with contextlib.suppress(EOFError):
            while True:
                await self.read()

    async def publish(
        self, topic: str | DeviceAddress, payload: bytes | None = None, **options: Any
    ) -> mqtt5.PubAckPacket:
        """PUBLISH of an envelope (an arbitrary one by default), and its PUBACK."""
        if isinstance(topic, DeviceAddress):
            topic = topics.to(topic)
        packet_id = next(self._ids)
        options.setdefault("correlation_data", os.urandom(16))
        payload = os.urandom(MIN_ENVELOPE) if payload is None else payload
        self.send(mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=packet_id, **options))
        answer = await self.expect(mqtt5.PubAckPacket)
        assert answer.packet_id == packet_id
        return answer

    async def subscribe(self, *patterns: str, qos: mqtt5.QoS = mqtt5.QoS.AT_LEAST_ONCE) -> list[int]:
        """SUBSCRIBE, and the codes of its SUBACK."""
        filters = [mqtt5.TopicFilter(pattern, max_qos=qos) for pattern in patterns]
        self.send(mqtt5.SubscribePacket(next(self._ids), filters))
        return [int(code) for code in (await self.expect(mqtt5.SubAckPacket)).reason_codes]

    async def catch_up(self) -> None:
        """Wait until the relay has read everything that has been sent so far."""
        self.send(mqtt5.PingReqPacket())
        await self.expect(mqtt5.PingRespPacket)

    async def open_inbox(self) -> None:
        """Subscribe to the device's own inbox."""
        assert self.badge is not None
        assert await self.subscribe(topics.inbox(self.badge.device)) == [1]

    async def receive(self) -> mqtt5.PublishPacket:
        """The next message, acknowledged."""
        packet = self.inbox.pop(0) if self.inbox else await self.expect(mqtt5.PublishPacket)
        if packet.packet_id is not None:
            self.send(mqtt5.PubAckPacket(packet.packet_id))
        return packet

    async def call(self, method: Method[Any, Any], request: Wire | bytes, name: str | None = None) -> Any:
        """An rpc request and its result, as the method's response model. Raises `Refused`."""
        answer = Answer.model_validate_json((await self.ask(method, request, name)).payload)
        if answer.error is not None:
            raise Refused(answer.error.code, answer.error.message)
        return method.response.model_validate(answer.result)

    async def ask(
        self, method: Method[Any, Any], request: Wire | bytes, name: str | None = None
    ) -> mqtt5.PublishPacket:
        """The same, with the answer as it came."""
        reply = topics.reply(self.client_id)
        assert await self.subscribe(reply) == [1]
        payload = request if isinstance(request, bytes) else request.model_dump_json().encode()
        number = os.urandom(8)
        answer = await self.publish(
            topics.rpc(name or method.name), payload, response_topic=reply, correlation_data=number
        )
        assert answer.reason_code == 0, answer
        while True:
            found = next((packet for packet in self.inbox if packet.correlation_data == number), None)
            if found is not None:
                self.inbox.remove(found)
                return found
            self.inbox.append(await self.expect(mqtt5.PublishPacket))
