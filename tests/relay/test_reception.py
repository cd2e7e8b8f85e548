"""How connections begin, subscribe and end. Bug classes M8, S1, S2, S4, R5; decisions D1, D2, D4, D5."""

import asyncio

import mqtt5
import pytest
from mqtt5 import ConnAckReasonCode
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.relay.errors import ConnectRefused, StoreFailed
from support.twin import Bench, Pipe, message, settled, subscribe_to


def connack(pipe: Pipe) -> mqtt5.ConnAckPacket:
    (packet,) = pipe.take(mqtt5.ConnAckPacket)
    return packet


async def test_refused_by_admission(bench: Bench) -> None:
    """[3.1.4-2], [3.2.2-7], [3.1.4-6], class M8: its code and reason, the connection ends, what was pipelined is not read."""
    bench.twin.refuse_connect = ConnectRefused(ConnAckReasonCode.NOT_AUTHORIZED, "unknown device")
    pipe = Pipe(bench.exchange)
    pipe.send(mqtt5.ConnectPacket("c1"), message(1))
    refused = connack(pipe)
    assert (refused.reason_code, refused.reason_str) == (ConnAckReasonCode.NOT_AUTHORIZED, "unknown device")
    assert pipe.is_closed
    await settled()
    assert bench.committer.traffic() == 0
    assert bench.exchange.peers == set()
    assert bench.twin.access_records == []


@pytest.mark.parametrize("clean_start", [False, True])
async def test_client_id_of_somebody_else_is_refused(bench: Bench, clean_start: bool) -> None:
    """[3.1.3-8], classes S1 and S2: CONNACK 0x85, and whose id it is goes on undisturbed, connected or not."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=60)
    admit = bench.twin.admit
    bench.twin.admit = lambda certificate, address, connect: admit(certificate, address, mqtt5.ConnectPacket("c3"))  # type: ignore[method-assign]
    mallory = await bench.connect(3, client_id="c2", clean_start=clean_start)
    assert connack(mallory).reason_code == ConnAckReasonCode.CLIENT_ID_NOT_VALID
    assert mallory.is_closed
    assert not bob.is_closed
    bench.twin.admit = admit  # type: ignore[method-assign]
    bob.cut()
    await settled()
    assert connack(await bench.connect(2, session_expiry_interval=60)).session_present


async def test_empty_client_id_gets_a_new_one(bench: Bench) -> None:
    """[3.1.3-6], [3.1.3-7], [3.2.2-16]: unique, of the legal form [3.1.3-5], and its session ends with the connection."""
    first = await bench.connect(2, client_id="", username="2", session_expiry_interval=60)
    second = await bench.connect(2, client_id="", username="2")
    one, two = connack(first), connack(second)
    assert one.assigned_client_id
    assert one.assigned_client_id != two.assigned_client_id
    assert one.assigned_client_id.isalnum()
    assert len(one.assigned_client_id) <= 23
    assert one.session_expiry_interval == 0
    first.send(subscribe_to(f"reply/{one.assigned_client_id}"))
    assert int(first.take(mqtt5.SubAckPacket)[0].reason_codes[0]) == 1


async def test_takeover(bench: Bench) -> None:
    """[3.1.4-3], class R5: DISCONNECT 0x8E to the old connection; a session that was to be kept is there."""
    old = await bench.connect(2, session_expiry_interval=60)
    new = await bench.connect(2, session_expiry_interval=60)
    assert old.take(mqtt5.DisconnectPacket)[0].reason_code == Code.SESSION_TAKEN_OVER
    assert old.is_closed
    assert connack(new).session_present
    old.cut()  # the old socket ends late, and ends nothing of the new one
    await settled()
    assert not new.is_closed
    assert bench.exchange.peers == {new}


async def test_takeover_of_a_connection_that_is_being_decided(bench: Bench) -> None:
    """[3.14.0-1]: before its CONNACK it is closed without a word; the new one is admitted."""
    bench.committer.hold()
    old, new = Pipe(bench.exchange), Pipe(bench.exchange)
    old.send(mqtt5.ConnectPacket("c2", session_expiry_interval=60))
    await settled()
    new.send(mqtt5.ConnectPacket("c2", session_expiry_interval=60))
    await settled()
    bench.committer.release()
    await settled()
    assert old.packets == []
    assert old.is_closed
    assert connack(new).reason_code == ConnAckReasonCode.SUCCESS


async def test_connection_is_not_read_while_it_is_decided(bench: Bench) -> None:
    """What a client pipelines behind CONNECT is bounded, and read once it is in."""
    bench.committer.hold()
    pipe = Pipe(bench.exchange)
    pipe.send(mqtt5.ConnectPacket("c1", session_expiry_interval=60), message(1))
    assert not pipe.is_reading
    bench.committer.release()
    await settled()
    assert pipe.is_reading
    assert [type(packet) for packet in pipe.packets] == [mqtt5.ConnAckPacket, mqtt5.PubAckPacket]  # [3.2.0-1]


async def test_connection_that_is_lost_while_it_is_decided(bench: Bench) -> None:
    """Nothing is left of it, and nobody is told anything."""
    bench.committer.hold()
    pipe = Pipe(bench.exchange)
    pipe.send(mqtt5.ConnectPacket("c1", session_expiry_interval=60))
    await settled()
    pipe.cut()
    bench.committer.release()
    await settled()
    assert pipe.packets == []
    assert bench.exchange.peers == set()
    assert bench.twin.closed_records == [1]


async def test_store_that_fails_admits_nobody(bench: Bench) -> None:
    """CONNACK 0x88."""
    bench.committer.run_error = StoreFailed("no")
    pipe = await bench.connect(1, session_expiry_interval=60)
    assert connack(pipe).reason_code == ConnAckReasonCode.SERVER_UNAVAILABLE
    assert pipe.is_closed
    bench.committer.run_error = None


async def test_store_that_fails_while_subscribing(bench: Bench) -> None:
    """DISCONNECT 0x83: nobody believes in a subscription that is not there."""
    pipe = await bench.connect(1, session_expiry_interval=60)
    bench.committer.run_error = StoreFailed("no")
    pipe.send(subscribe_to("inbox/1"))
    await settled()
    assert pipe.take(mqtt5.DisconnectPacket)[0].reason_code == Code.IMPLEMENTATION_SPECIFIC_ERROR
    bench.committer.run_error = None


async def test_access_record_of_a_connection(bench: Bench) -> None:
    """Start, address and version are handed to the ledger, and the end; nothing of a client that is no device."""
    pipe = await bench.connect(1, user_properties=[("noise", "x"), ("client-version", "blindrelay/1.0"), ("a", "b")])
    await bench.connect(1, client_id="")
    assert bench.twin.access_records == [(1, "192.0.2.1", "blindrelay/1.0")]
    pipe.cut()
    pipe.cut()
    await settled()
    assert bench.twin.closed_records == [1]


@pytest.mark.parametrize("version", ["", " ", "x" * 41, "<script>", "a\u00e9"])
async def test_version_that_is_none_is_not_kept(bench: Bench, version: str) -> None:
    """The ledger has no free text."""
    await bench.connect(1, user_properties=[("client-version", version)])
    assert bench.twin.access_records == [(1, "192.0.2.1", None)]


async def test_subscriptions_are_answered_one_by_one(bench: Bench) -> None:
    """[3.8.4-1], [3.8.4-2], [3.8.4-5], [3.8.4-6], [3.8.4-7], [3.8.4-8], [3.9.3-1], [3.9.3-2]; decisions D4, D5."""
    pipe = await bench.connect(2)
    qos = mqtt5.QoS
    pipe.send(
        mqtt5.SubscribePacket(
            11,
            [
                mqtt5.TopicFilter("inbox/3", max_qos=qos.AT_LEAST_ONCE),
                mqtt5.TopicFilter("inbox/2", max_qos=qos.AT_MOST_ONCE),
                mqtt5.TopicFilter("inbox/2", max_qos=qos.EXACTLY_ONCE),
                mqtt5.TopicFilter("inbox/2", max_qos=qos.AT_LEAST_ONCE, no_local=True),
                mqtt5.TopicFilter("INBOX/2", max_qos=qos.AT_LEAST_ONCE),
            ],
        )
    )
    (suback,) = pipe.take(mqtt5.SubAckPacket)
    assert suback.packet_id == 11
    assert [int(code) for code in suback.reason_codes] == [0x87, 0x83, 0x01, 0x83, 0x87]
    assert suback.reason_str == "not yours"


async def test_malformed_filter_is_refused_by_itself(bench: Bench) -> None:
    """SUBACK 0x8F; the others in the packet are granted."""
    pipe = await bench.connect(2)
    pipe.feed(b"\x82\x12\x00\x01\x00\x00\x02a+\x01\x00\x07inbox/2\x01")
    assert [int(code) for code in pipe.take(mqtt5.SubAckPacket)[0].reason_codes] == [0x8F, 0x01]


async def test_suback_waits_for_the_store_and_pings_do_not(bench: Bench) -> None:
    """[3.12.4-1]: with a session to keep, SUBACK says that the subscription survives a restart."""
    pipe = await bench.connect(2, session_expiry_interval=60)
    bench.committer.hold()
    pipe.send(subscribe_to("inbox/2"), mqtt5.PingReqPacket())
    await settled()
    assert [type(packet) for packet in pipe.packets] == [mqtt5.ConnAckPacket, mqtt5.PingRespPacket]
    bench.committer.release()
    await settled()
    assert len(pipe.take(mqtt5.SubAckPacket)) == 1


async def test_every_end_leaves_nothing_behind(bench: Bench) -> None:
    """Q4: after clean, unclean and refused ends, no peer, reader or task is kept."""
    ends = [
        lambda pipe: pipe.send(mqtt5.DisconnectPacket()),
        lambda pipe: pipe.cut(),
        lambda pipe: pipe.feed(b"\xff\xff"),
        lambda pipe: bench.exchange.end(pipe, Code.ADMINISTRATIVE_ACTION),
    ]
    for end in ends:
        pipe = await bench.connect(2, subscribe=True, session_expiry_interval=60)
        end(pipe)
        await settled()
        assert bench.exchange.peers == set()
        assert bench.twin.mailboxes[2].delivery is None
        assert bench.exchange._reception._connected == {}
        assert bench.exchange._tasks == set()
    assert len(asyncio.all_tasks()) == 1
