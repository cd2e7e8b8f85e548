"""The message path with everything around it replaced by twins."""

from collections.abc import AsyncIterator

import mqtt5
import pytest
from mqtt5 import PubAckReasonCode
from support.twin import Bench, message, number_of, settled


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.start()
    yield bench
    await bench.stop()


async def test_message_reaches_its_recipient(bench: Bench) -> None:
    """PUBLISH, commit, PUBACK, PUBLISH, PUBACK, gone [3.3.4-1], [4.3.2-4], [4.5.0-1], [2.2.1-5], [3.3.2-15], [3.3.2-16]."""
    bob = await bench.connect(2, subscribe=True)
    alice = await bench.connect(1)

    alice.send(message(7))
    await settled()

    (ack,) = alice.take(mqtt5.PubAckPacket)
    assert (ack.packet_id, ack.reason_code) == (7, PubAckReasonCode.SUCCESS)
    (delivered,) = bob.take(mqtt5.PublishPacket)
    assert number_of(delivered) == 7
    assert delivered.topic == "inbox/2"
    assert delivered.correlation_data == (7).to_bytes(16, "big")
    assert not delivered.duplicate
    assert len(bench.committer.stored(2)) == 1

    bob.send(mqtt5.PubAckPacket(delivered.packet_id or 0))
    await settled()

    assert bench.committer.stored(2) == []
