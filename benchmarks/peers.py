"""The two ends of a pair, as frugal as they can be: they share two cores with what they measure.

Handshakes go through the codec. After that a sender's packets are slices of a ring that was built once, in which only
the message id's counter is written anew; its PUBACKs are compared with the bytes they must be; a receiver unpacks all
frames of a read with one `struct` whose layout was taken from the first frame. Whatever does not fit goes through the
codec and is counted for what it is.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from time import perf_counter
from typing import Any

import mqtt5

from benchmarks.job import Pair

# Packet identifiers that a sender uses in turn: the Receive Maximum of the relay, so that none is in use twice.
RING = 128
# The relay closes a connection that is silent for longer than its cap; no measurement takes as long.
KEEP_ALIVE = 1_200
_ID = struct.Struct(">8sQ")
_COUNTER = struct.Struct(">Q")
_PUBLISH_QOS_1 = 0x32
# Of a frame of a kilobyte or more: its header byte and its length.
_PREFIX = 3
# MQTT 5, 2.4: a reason code from here on is a refusal.
REFUSED = 0x80
# Seconds. Every message of our clients has one.
TIME_TO_LIVE = 7 * 86_400
_PUBACKS = [b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in range(65_536)]

#: (time, how many messages): acknowledgements and deliveries come in order, so this is all that latency needs.
Marks = list[tuple[float, int]]


class Unexpected(Exception):
    """The server did something that ends the measurement; the message says what."""


class Peer(asyncio.Protocol):
    """A connection: CONNECT, CONNACK and what else the subclass has to arrange; then `flow` gets all bytes."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._buffer = b""
        self._flowing = False
        self.transport: asyncio.Transport
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        self.transport = transport  # type: ignore[assignment]
        connect = mqtt5.ConnectPacket(self._client_id, clean_start=True, keep_alive=KEEP_ALIVE, receive_max=1_000)
        self.transport.write(connect.write())

    def data_received(self, data: bytes) -> None:
        """Bytes for the handshake, then for `flow`."""
        if self._flowing:
            self.flow(data)
            return
        self._buffer += data
        for packet in self.packets():
            try:
                self._flowing = self.arranged(packet)
            except Unexpected as error:
                self.fail(error)
                return
            if self._flowing:
                self.ready.set_result(None)
                rest, self._buffer = self._buffer, b""
                if rest:
                    self.flow(rest)
                return

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody closes a connection before the end but us."""
        self.fail(Unexpected(f"{self._client_id}: connection lost ({exc or 'closed by the server'})"))

    def fail(self, error: Exception) -> None:
        """End the handshake, if it is still going on."""
        if not self.ready.done():
            self.ready.set_exception(error)
        elif self._flowing:
            self.lost(error)

    def packets(self) -> Iterator[Any]:
        """Take the whole packets out of the buffer, by the codec."""
        while self._buffer:
            try:
                packet, consumed = mqtt5.read(memoryview(self._buffer))
            except IndexError:
                return
            self._buffer = self._buffer[consumed:]
            yield packet

    def arranged(self, packet: Any) -> bool:
        """Whether `packet` completes the handshake."""
        if not isinstance(packet, mqtt5.ConnAckPacket) or packet.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            raise Unexpected(f"{self._client_id}: expected a CONNACK with success, got {_words(packet)}")
        return True

    def flow(self, data: bytes) -> None:
        """Bytes after the handshake."""
        self._buffer += data
        for packet in self.packets():
            self.lost(Unexpected(f"{self._client_id}: unexpected {_words(packet)}"))

    def lost(self, error: Exception) -> None:
        """The connection is over, or as good as that."""


def _words(packet: Any) -> str:
    reason = getattr(packet, "reason_code", None)
    words = [type(packet).__name__, "" if reason is None else reason.name, getattr(packet, "reason_str", None) or ""]
    return " ".join(word for word in words if word)


class Sender(Peer):
    """Publishes messages whose ids are `nonce` and a counter, so that the receiver can tell every one."""

    def __init__(self, pair: Pair, nonce: bytes, payload: bytes, broken: Callable[[Exception], None]) -> None:
        super().__init__(pair.sender.client_id)
        self._broken = broken
        self._ring, self._size, self._id_offset = _ring(pair.publish_to, nonce, payload)
        self._expected = b"".join(_PUBACKS[1 : RING + 1]) * 2
        self._late: deque[float] = deque()
        self._window = 0
        self.sent_at: list[float] = []
        self.acknowledged = 0
        self.refused = 0
        self.marks: Marks = []

    def keep_full(self, window: int) -> None:
        """From now on, leave `window` messages unacknowledged; 0 stops."""
        self._window = window
        self._fill(perf_counter())

    def send_due(self, due: list[float]) -> None:
        """Send a message for each of these times: its latency begins there, even if it has to wait for its turn."""
        self._late.extend(due)
        self._send_late()

    def flow(self, data: bytes) -> None:
        """PUBACKs, in order, or something to look at with the codec."""
        if self._buffer:
            data = self._buffer + data
        count, rest = divmod(len(data), 4)
        start = self.acknowledged % RING * 4
        if count <= RING and data[: count * 4] == self._expected[start : start + count * 4]:
            self._buffer = data[count * 4 :] if rest else b""
        else:
            self._buffer = data
            count = sum(self._answered(packet) for packet in self.packets())
        self.acknowledged += count
        now = perf_counter()
        self.marks.append((now, count))
        if self._window:
            self._fill(now)
        elif self._late:
            self._send_late()

    def _answered(self, packet: Any) -> int:
        if not isinstance(packet, mqtt5.PubAckPacket):
            self._broken(Unexpected(f"{self._client_id}: expected a PUBACK, got {_words(packet)}"))
            return 0
        if int(packet.reason_code) >= REFUSED:
            self.refused += 1
        return 1

    def _fill(self, now: float) -> None:
        room = self._window - (len(self.sent_at) - self.acknowledged)
        if room > 0:
            self._send([now] * room)

    def _send_late(self) -> None:
        room = min(RING - (len(self.sent_at) - self.acknowledged), len(self._late))
        if room > 0:
            self._send(list(islice(self._late, room)))
            for _ in range(room):
                self._late.popleft()

    def _send(self, times: list[float]) -> None:
        first, count, size = len(self.sent_at), len(times), self._size
        self.sent_at += times
        slot = first % RING
        ring, offset = self._ring, self._id_offset + slot * size
        for counter in range(first, first + count):
            if offset >= len(ring):
                offset -= len(ring)
            _COUNTER.pack_into(ring, offset, counter)
            offset += size
        end = slot + count
        packets = bytes(ring[slot * size : end * size])
        if end > RING:
            packets += ring[: (end - RING) * size]
        self.transport.write(packets)

    def lost(self, error: Exception) -> None:
        self._broken(error)


def _ring(topic: str, nonce: bytes, payload: bytes) -> tuple[bytearray, int, int]:
    """The packets of all packet ids, one after the other; the size of one; the offset of the counter in the first."""
    packets = [
        mqtt5.PublishPacket(
            topic,
            payload,
            qos=mqtt5.QoS.AT_LEAST_ONCE,
            packet_id=packet_id,
            message_expiry_interval=TIME_TO_LIVE,
            correlation_data=_ID.pack(nonce, 0),
        ).write()
        for packet_id in range(1, RING + 1)
    ]
    return bytearray(b"".join(packets)), len(packets[0]), packets[0].index(nonce) + len(nonce)


class Receiver(Peer):
    """Acknowledges what comes and checks that it is the next of its sender's messages."""

    def __init__(self, pair: Pair, nonce: bytes, broken: Callable[[Exception], None]) -> None:
        super().__init__(pair.receiver.client_id)
        self._filter = pair.subscribe_to
        self._nonce = nonce
        self._broken = broken
        self._layout: struct.Struct | None = None
        self._prefix = b""
        self._next = 0
        self._missing: set[int] = set()
        self.delivered = 0
        self.duplicated = 0
        self.out_of_order = 0
        self.marks: Marks = []

    def arranged(self, packet: Any) -> bool:
        if isinstance(packet, mqtt5.SubAckPacket):
            if packet.reason_codes != [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]:
                raise Unexpected(f"{self._client_id}: not subscribed to {self._filter}: {packet.reason_codes}")
            return True
        super().arranged(packet)
        subscription = mqtt5.TopicFilter(self._filter, max_qos=mqtt5.QoS.AT_LEAST_ONCE)
        self.transport.write(mqtt5.SubscribePacket(1, [subscription]).write())
        return False

    def flow(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if self._layout is None or data[0] != _PUBLISH_QOS_1:
            self._buffer = data
            self._one_by_one()
            return
        size = self._layout.size
        whole = len(data) // size * size
        acks: list[bytes] = []
        fresh = self._take(data[:whole] if whole != len(data) else data, acks)
        self._buffer = data[len(acks) * size :]
        self._answer(acks, fresh)
        # What is left is the beginning of another such frame, or something for the codec.
        if len(acks) * size != whole or not self._prefix.startswith(self._buffer[: len(self._prefix)]):
            self._one_by_one()

    def _take(self, frames: bytes, acks: list[bytes]) -> int:
        """Frames of the usual layout: collect their PUBACKs, return how many were new. Stops at one that is not."""
        before = self.delivered
        nonce, following = self._nonce, self._next
        for header, packet_id, theirs, counter in self._layout.iter_unpack(frames):  # type: ignore[union-attr]
            if header != _PUBLISH_QOS_1 or theirs != nonce:
                break
            if counter == following:
                following += 1
                self.delivered += 1
            else:
                self._next = following
                self._irregular(counter)
                following = self._next
            acks.append(_PUBACKS[packet_id])
        self._next = following
        return self.delivered - before

    def _one_by_one(self) -> None:
        acks: list[bytes] = []
        before = self.delivered
        whole = self._buffer
        for packet in self.packets():
            if not isinstance(packet, mqtt5.PublishPacket) or packet.packet_id is None:
                self._broken(Unexpected(f"{self._client_id}: expected a PUBLISH, got {_words(packet)}"))
                return
            nonce, counter = _ID.unpack(packet.correlation_data or bytes(_ID.size))
            if nonce != self._nonce:
                self._broken(Unexpected(f"{self._client_id}: a message of somebody else's"))
                return
            if self._layout is None:
                self._layout = _layout(whole, packet, len(whole) - len(self._buffer))
                self._prefix = whole[:_PREFIX]
            if counter == self._next:
                self._next += 1
                self.delivered += 1
            else:
                self._irregular(counter)
            acks.append(_PUBACKS[packet.packet_id])
        self._answer(acks, self.delivered - before)

    def _irregular(self, counter: int) -> None:
        if counter >= self._next:  # a gap, which may still be filled
            self._missing.update(range(self._next, counter))
            self._next = counter + 1
            self.delivered += 1
        elif counter in self._missing:
            self._missing.remove(counter)
            self.out_of_order += 1
            self.delivered += 1
        else:
            self.duplicated += 1

    def _answer(self, acks: list[bytes], fresh: int) -> None:
        if acks:
            self.transport.write(b"".join(acks))
            self.marks.append((perf_counter(), fresh))

    def lost(self, error: Exception) -> None:
        self._broken(error)


def _layout(frame: bytes, packet: mqtt5.PublishPacket, size: int) -> struct.Struct:
    """Where header byte, packet id and message id are in frames of this size. The counter's offset follows from the nonce's."""
    topic_end = frame.index(packet.topic.encode()) + len(packet.topic.encode())
    id_start = frame.index(packet.correlation_data or b"", topic_end)
    gap = id_start - topic_end - 2
    return struct.Struct(f">B{topic_end - 1}xH{gap}x8sQ{size - id_start - _ID.size}x")
