"""What has happened since the start, as numbers (`relay/counts.py`), on the message path."""

import mqtt5
import pytest
from mqtt5 import ConnAckReasonCode, PubAckReasonCode
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.relay.counts import Timing
from blindrelay.relay.errors import ConnectRefused
from support.twin import Bench, Pipe, message, settled


async def test_messages_are_counted_when_they_are_durable_and_when_they_are_acknowledged(bench: Bench) -> None:
    """Accepted: committed. Delivered: acknowledged by the recipient's device, which it is not before."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    alice.send(*[message(number) for number in range(1, 6)])
    await settled()
    counts = bench.exchange.counts
    assert (counts.accepted, counts.delivered) == (5, 0)
    bob.send(*[mqtt5.PubAckPacket(packet.packet_id) for packet in bob.take(mqtt5.PublishPacket)])
    assert (counts.accepted, counts.delivered) == (5, 5)


async def test_refusals_are_counted_by_their_code(bench: Bench) -> None:
    """A payload that is no padding bucket, a mailbox of nobody."""
    alice = await bench.connect(1)
    alice.send(message(1, payload=b"odd"), message(2, topic="to/nobody"))
    await settled()
    assert bench.exchange.counts.refused[int(PubAckReasonCode.PAYLOAD_FORMAT_INVALID)] == 1
    assert bench.exchange.counts.refused.total() == 2


async def test_connections_are_counted_in_and_out(bench: Bench) -> None:
    """Each admitted one, and each that the relay has refused or ended, by its code; who leaves by itself is in none."""
    first, _ = await bench.connect(1), await bench.connect(1)
    bench.twin.refuse_connect = ConnectRefused(ConnAckReasonCode.NOT_AUTHORIZED, "a stranger")
    Pipe(bench.exchange).send(mqtt5.ConnectPacket("c9"))
    bench.twin.refuse_connect = None
    gone = await bench.connect(3)
    gone.send(mqtt5.DisconnectPacket())
    counts = bench.exchange.counts

    assert counts.admitted.total() == 3
    assert counts.ended == {int(Code.SESSION_TAKEN_OVER): 1}
    assert counts.turned_away == {int(ConnAckReasonCode.NOT_AUTHORIZED): 1}
    assert first.is_closed


@pytest.mark.parametrize(
    ("seconds", "half", "most"),
    [
        ([], None, None),
        ([0.1], 0.1, 0.1),
        ([0.05] * 99 + [3.0], 0.1, 0.1),
        ([0.5] * 50 + [9.0] * 50, 1.0, float("inf")),
    ],
)
def test_a_quantile_is_the_bound_that_was_kept_to(seconds: list[float], half: float | None, most: float | None) -> None:
    """A bound of the distribution, not a value of it."""
    timing = Timing((0.1, 1.0))
    for one in seconds:
        timing.observe(one)
    assert (timing.count, timing.quantile(0.5), timing.quantile(0.99)) == (len(seconds), half, most)
