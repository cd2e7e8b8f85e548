"""The load generator's two ends: what they count must be true, or every number of a benchmark is worth nothing."""

import asyncio
from collections.abc import Iterable
from itertools import pairwise

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.job import Identity, Pair
from benchmarks.peers import RING, TIME_TO_LIVE, Receiver, Sender, Unexpected

NONCE = b"noncence"
PAIR = Pair(
    sender=Identity(client_id="acme.example/alice/laptop"),
    receiver=Identity(client_id="globex.example/bob/phone"),
    publish_to="v1/to/globex.example/bob/phone",
    subscribe_to="v1/inbox/globex.example/bob/phone",
)


class Wire(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def packets(self) -> list[object]:
        """What was written since the last call, by the codec."""
        found, rest = [], memoryview(self.written)
        while rest:
            packet, size = mqtt5.read(rest)
            found.append(packet)
            rest = rest[size:]
        self.written = b""
        return found


def message(counter: int, packet_id: int = 1, nonce: bytes = NONCE, **fields: object) -> bytes:
    """A PUBLISH as the relay forwards it."""
    return mqtt5.PublishPacket(
        PAIR.subscribe_to,
        b"x" * 200,
        qos=mqtt5.QoS.AT_LEAST_ONCE,
        packet_id=packet_id,
        correlation_data=nonce + counter.to_bytes(8, "big"),
        **fields,
    ).write()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces."""
    borders = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(borders)]


async def receive(data: bytes, places: Iterable[int] = ()) -> tuple[Receiver, Wire, list[Exception]]:
    """A receiver that got `data` in pieces."""
    broken: list[Exception] = []
    receiver, wire = Receiver(PAIR, NONCE, broken.append), Wire()
    receiver.connection_made(wire)
    receiver.data_received(mqtt5.ConnAckPacket().write())
    receiver.data_received(mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]).write())
    await receiver.ready
    wire.written = b""
    for piece in cut(data, places):
        receiver.data_received(piece)
    return receiver, wire, broken


@given(
    counters=st.lists(st.integers(0, 12), max_size=30),
    odd=st.sets(st.integers(0, 29)),
    places=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_a_receiver_counts_whatever_comes_however_it_is_cut(
    counters: list[int], odd: set[int], places: list[int]
) -> None:
    """New, missing, doubled and late messages are what a plain list says they are, and each gets its PUBACK."""
    data = b"".join(
        # Now and then a frame of another layout, which does not take the fast way.
        message(counter, number + 1, message_expiry_interval=60 if number in odd else None)
        for number, counter in enumerate(counters)
    )
    receiver, wire, broken = asyncio.run(receive(data, places))
    late = sum(
        counter < max(counters[:number], default=-1) and counter not in counters[:number]
        for number, counter in enumerate(counters)
    )
    assert not broken
    assert receiver.delivered == len(set(counters))
    assert receiver.duplicated == len(counters) - len(set(counters))
    assert receiver.out_of_order == late
    assert [packet.packet_id for packet in wire.packets()] == list(range(1, len(counters) + 1))  # type: ignore[attr-defined]
    assert sum(count for _, count in receiver.marks) == receiver.delivered


async def test_a_redelivery_is_recognised() -> None:
    """With DUP set the header differs; the message is counted as the double that it is."""
    receiver, _, _ = await receive(message(0) + message(0, 2, duplicate=True) + message(1, 3))
    assert (receiver.delivered, receiver.duplicated) == (2, 1)


async def test_a_message_of_somebody_else_ends_the_measurement() -> None:
    """A message id that no sender of ours made must not be counted."""
    _, _, broken = await receive(message(0) + message(1, 2, nonce=b"stranger"))
    assert len(broken) == 1
    assert "somebody else" in str(broken[0])


async def test_a_disconnect_ends_the_measurement() -> None:
    """What the server says instead of a message is an error with its reason in it."""
    goodbye = mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN).write()
    _, _, broken = await receive(message(0) + goodbye)
    assert "SERVER_SHUTTING_DOWN" in str(broken[0])


async def test_a_refused_connection_is_an_error() -> None:
    """CONNACK with a reason code: nothing is measured."""
    receiver = Receiver(PAIR, NONCE, lambda _: None)
    receiver.connection_made(Wire())
    receiver.data_received(mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.NOT_AUTHORIZED).write())
    with pytest.raises(Unexpected, match="NOT_AUTHORIZED"):
        await receiver.ready


async def sending(broken: list[Exception]) -> tuple[Sender, Wire]:
    """A sender that is connected."""
    sender, wire = Sender(PAIR, NONCE, b"y" * 64, broken.append), Wire()
    sender.connection_made(wire)
    sender.data_received(mqtt5.ConnAckPacket().write())
    await sender.ready
    wire.written = b""
    return sender, wire


def acks(first: int, count: int) -> bytes:
    """PUBACKs for messages from number `first` on."""
    return b"".join(mqtt5.PubAckPacket(number % RING + 1).write() for number in range(first, first + count))


async def test_a_sender_keeps_its_window_full() -> None:
    """As many leave as were acknowledged, with their own numbers and packet ids, around the ring and beyond."""
    broken: list[Exception] = []
    sender, wire = await sending(broken)
    sender.keep_full(20)
    sent = wire.packets()
    for step in range(0, 3 * RING, 16):
        sender.data_received(acks(step, 16))
        sent += wire.packets()
    sender.keep_full(0)
    assert [int.from_bytes(packet.correlation_data[8:]) for packet in sent] == list(range(len(sent)))  # type: ignore[attr-defined]
    assert [packet.packet_id for packet in sent] == [number % RING + 1 for number in range(len(sent))]  # type: ignore[attr-defined]
    assert {packet.message_expiry_interval for packet in sent} == {TIME_TO_LIVE}  # type: ignore[attr-defined]
    assert len(sender.sent_at) == sender.acknowledged + 20 == len(sent)
    assert not broken


@given(places=st.lists(st.integers(0, 400), max_size=10), refused=st.sets(st.integers(0, 19), max_size=5))
def test_a_sender_counts_refusals_however_its_answers_are_cut(places: list[int], refused: set[int]) -> None:
    """Every PUBACK counts once; those with a reason code of 0x80 and above are refusals."""

    async def run() -> None:
        broken: list[Exception] = []
        sender, _ = await sending(broken)
        sender.keep_full(20)
        sender.keep_full(0)
        full = mqtt5.PubAckReasonCode.QUOTA_EXCEEDED
        answers = (
            mqtt5.PubAckPacket(number + 1, reason_code=full, reason_str="full").write()
            if number in refused
            else acks(number, 1)
            for number in range(20)
        )
        for piece in cut(b"".join(answers), places):
            sender.data_received(piece)
        assert (sender.acknowledged, sender.refused) == (20, len(refused))
        assert not broken

    asyncio.run(run())


async def test_what_is_due_waits_for_room_and_keeps_its_time() -> None:
    """Beyond the Receive Maximum a message waits, and its latency counts from when it was due."""
    sender, wire = await sending([])
    due = [float(number) for number in range(RING + 5)]
    sender.send_due(due)
    assert len(wire.packets()) == RING
    sender.data_received(acks(0, 5))
    assert len(wire.packets()) == 5
    assert sender.sent_at == due
