"""The message path, with everything around it replaced by twins: from PUBLISH to PUBACK on both sides.

Bug classes Q1, Q6, S4, S5, S6, S7, R1, R4, R6, R8, R10, R11, R12; decisions D1, D3, D6, D9, D10.
"""

import asyncio
import math

import mqtt5
import pytest
from mqtt5 import ConnAckReasonCode, PubAckReasonCode
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.protocol.sizes import MAX_ENVELOPE, MAX_TTL
from blindrelay.relay.calls import CALLS_AT_ONCE, CALLS_WAITING
from blindrelay.relay.errors import StoreFailed
from blindrelay.relay.intake import UNDECIDED_LIMIT
from blindrelay.relay.limits import REFUSED
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.mqtt.session import RECEIVE_MAXIMUM
from blindrelay.relay.peer import Hold
from blindrelay.relay.store.committer import Outcome
from support.twin import Bench, Pipe, message, number_of, settled, subscribe_to


def codes(pipe: Pipe) -> list[tuple[int, int]]:
    return [(ack.packet_id, int(ack.reason_code)) for ack in pipe.take(mqtt5.PubAckPacket)]


def numbers(pipe: Pipe) -> list[int]:
    return [number_of(packet) for packet in pipe.take(mqtt5.PublishPacket)]


def ended(pipe: Pipe) -> Code | None:
    found = pipe.take(mqtt5.DisconnectPacket)
    return found[0].reason_code if found else None


async def test_message_reaches_its_recipient(bench: Bench) -> None:
    """PUBLISH, commit, PUBACK, PUBLISH, PUBACK, gone.

    [3.3.4-1], [4.3.2-4], [4.5.0-1], [2.2.1-5], [3.3.2-3], [3.3.2-15], [3.3.2-16], [4.3.2-2];
    without a topic alias [3.1.2-26], [3.1.2-27].
    """
    bob = await bench.connect(2, subscribe=True)
    alice = await bench.connect(1)

    alice.send(message(7))
    await settled()

    assert codes(alice) == [(7, 0)]
    (delivered,) = bob.take(mqtt5.PublishPacket)
    assert number_of(delivered) == 7
    assert delivered.topic == "inbox/2"
    assert delivered.correlation_data == (7).to_bytes(16, "big")
    assert not delivered.duplicate
    assert delivered.topic_alias is None
    assert len(bench.committer.stored(2)) == 1

    bob.send(mqtt5.PubAckPacket(delivered.packet_id or 0))
    await settled()

    assert bench.committer.stored(2) == []
    assert bench.twin.mailboxes[2].waiting == bench.twin.mailboxes[2].waiting_bytes == 0


async def test_nothing_is_said_before_the_commit(bench: Bench) -> None:
    """Class R1: neither PUBACK to the sender nor PUBLISH to the recipient [3.4.2-1]; PINGRESP all the same [3.12.4-1]."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    alice.send(message(1))
    await settled()
    codes(alice), numbers(bob)
    bench.committer.hold()

    alice.send(message(2), mqtt5.PingReqPacket())
    await settled()
    assert (codes(alice), numbers(bob)) == ([], [])
    assert len(alice.take(mqtt5.PingRespPacket)) == 1

    bench.committer.release()
    assert (codes(alice), numbers(bob)) == ([(2, 0)], [2])


async def test_one_commit_is_one_write_for_each_connection(bench: Bench) -> None:
    """However many messages a commit holds, each connection is written to once."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.committer.hold()
    alice.send(*[message(number) for number in range(2, 42)])
    alice.writes = bob.writes = 0
    bench.committer.release()
    assert (alice.writes, bob.writes) == (1, 1)
    assert (len(codes(alice)), len(numbers(bob))) == (41, 41)


async def test_order_of_acceptance_is_the_order_of_delivery(bench: Bench) -> None:
    """[4.6.0-5], [4.6.0-6]: per sender and recipient, also across several commits and two senders."""
    bob = await bench.connect(2, subscribe=True)
    alice, carol = await bench.connect(1), await bench.connect(3)
    for number in range(1, 100, 2):
        alice.send(message(number))
        carol.send(message(number + 1))
        if number % 7 == 0:
            await settled()
    await settled()
    received = numbers(bob)
    assert [number for number in received if number % 2] == list(range(1, 100, 2))
    assert [number for number in received if not number % 2] == list(range(2, 101, 2))


# What is refused, and how.


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"topic": "elsewhere"}, 0x87),
        ({"size": 1_025}, 0x99),
        ({"size": 0, "payload": b""}, 0x99),
        ({"correlation_data": b"short"}, 0x83),
        ({"correlation_data": None}, 0x83),
        ({"user_properties": [("a", "b")]}, 0x83),
        ({"content_type": "text/plain"}, 0x83),
        ({"payload_format_indicator": 1}, 0x83),
        ({"response_topic": "reply/c1"}, 0x83),
        ({"message_expiry_interval": MAX_TTL + 1}, 0x83),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else hex(value),
)
async def test_publish_outside_the_profile_is_refused_and_the_connection_goes_on(
    bench: Bench, fields: dict[str, object], code: int
) -> None:
    """2.15, decision D6 [3.3.2-4] [3.3.2-17] [3.3.2-18] [3.3.2-20]: refused in PUBACK, never dropped silently; not stored."""
    alice = await bench.connect(1)
    alice.send(message(1, **fields), message(2))
    await settled()
    assert codes(alice) == [(1, code), (2, 0)]
    assert len(bench.committer.stored(2)) == bench.committer.traffic() == 1


async def test_unknown_and_blocked_recipients_look_alike(bench: Bench) -> None:
    """Class S7: the same code and reason, and neither waits for the store, so that time tells nothing either."""
    alice = await bench.connect(1)
    bench.twin.blocked.add("to/9")
    bench.committer.hold()
    alice.send(message(1, topic="to/9"), message(2, topic="to/nobody"))
    first, second = alice.take(mqtt5.PubAckPacket)
    assert (first.reason_code, first.reason_str) == (second.reason_code, second.reason_str)
    assert first.reason_code == PubAckReasonCode.NOT_AUTHORIZED


async def test_full_mailbox_is_refused_and_others_are_not(bench: Bench) -> None:
    """Class Q1: PUBACK 0x97 for one mailbox; emptied, it takes mail again."""
    bench.twin.quota = Quota(count=2, size=10_000)
    alice = await bench.connect(1)
    alice.send(message(1), message(2), message(3), message(4, to=3))
    await settled()
    assert codes(alice) == [(1, 0), (2, 0), (3, 0x97), (4, 0)]

    bob = await bench.connect(2, subscribe=True)
    for packet in bob.take(mqtt5.PublishPacket):
        bob.send(mqtt5.PubAckPacket(packet.packet_id or 0))
    alice.send(message(3, packet_id=5))
    await settled()
    assert codes(alice) == [(5, 0)]  # the id of what was refused is free


async def test_mailbox_is_bounded_in_bytes_too(bench: Bench) -> None:
    """Class Q1: the largest messages fill it before the count does."""
    bench.twin.quota = Quota(count=100, size=3 * 1_024)
    alice = await bench.connect(1)
    alice.send(*[message(number) for number in range(1, 5)])
    await settled()
    assert codes(alice) == [(1, 0), (2, 0), (3, 0), (4, 0x97)]


# The store.


async def test_full_disk_refuses_and_recovers(bench: Bench) -> None:
    """Class R8: PUBACK 0x97, reading and acknowledging go on, and there is room again without a restart."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.committer.outcome = Outcome.STORE_FULL
    alice.send(message(2))
    bob.send(mqtt5.PubAckPacket(bob.take(mqtt5.PublishPacket)[0].packet_id or 0))
    await settled()
    assert codes(alice) == [(1, 0), (2, 0x97)]
    assert bench.committer.stored(2) == []
    assert bench.twin.mailboxes[2].waiting == 0

    bench.committer.outcome = Outcome.COMMITTED
    alice.send(message(2, duplicate=True))  # the same id: it was forgotten with the refusal
    await settled()
    assert (codes(alice), numbers(bob)) == ([(2, 0)], [2])


async def test_failed_store_acknowledges_nothing(bench: Bench) -> None:
    """Classes R6 and R7: the outcome is unknown, so there is no PUBACK, and DISCONNECT 0x83 says why."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    bench.committer.outcome = Outcome.STORE_FAILED
    alice.send(message(1))
    await settled()
    assert codes(alice) == []
    assert ended(alice) == Code.IMPLEMENTATION_SPECIFIC_ERROR
    assert numbers(bob) == []


async def test_relay_that_stops_acknowledges_what_it_took(bench: Bench) -> None:
    """Class R12, 2.14: commits under way are finished, their PUBACKs sent, then DISCONNECT 0x8B."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.committer.hold()
    alice.send(*[message(number) for number in range(2, 10)])
    stopping = asyncio.ensure_future(bench.exchange.stop())
    await settled()
    assert not alice.is_reading
    bench.committer.release()
    await stopping
    assert [type(packet) for packet in alice.packets[-2:]] == [mqtt5.PubAckPacket, mqtt5.DisconnectPacket]
    assert len(codes(alice)) == 9
    assert ended(alice) == Code.SERVER_SHUTTING_DOWN


# Seen before?


async def test_retry_of_a_committed_message_is_acknowledged_and_not_stored_again(bench: Bench) -> None:
    """Class R11: PUBACK lost, connection lost, sent again: one envelope, one traffic record."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    alice.cut()
    alice = await bench.connect(1)
    alice.send(message(1, duplicate=True, packet_id=77))
    await settled()
    assert codes(alice) == [(77, 0)]
    assert len(bench.committer.stored(2)) == bench.committer.traffic() == 1


async def test_retry_is_recognised_after_a_restart(bench: Bench) -> None:
    """Classes R6 and R11: the ring of recent ids is in the commit of the envelope itself."""
    alice = await bench.connect(1)
    for number in range(1, 301):  # more than the ring holds
        alice.send(message(number))
        await settled()
    alice.cut()
    await settled()
    await bench.restart()
    alice = await bench.connect(1)
    alice.send(*[message(number, duplicate=True) for number in range(250, 301)])
    await settled()
    assert {code for _, code in codes(alice)} == {0}
    assert bench.committer.traffic() == 300
    alice.send(*[message(number) for number in range(301, 401)])
    await settled()
    alice.send(*[message(number) for number in range(273, 401)])  # the newest 128 are still known
    await settled()
    assert bench.committer.traffic() == 400


async def test_retry_while_the_first_is_being_committed_waits_for_it(bench: Bench) -> None:
    """Classes R5 and R11: taken over with the commit under way, the new connection's PUBACK is that commit's."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.committer.hold()
    alice.send(message(2))
    again = Pipe(bench.exchange)
    again.send(mqtt5.ConnectPacket("c1"))
    await settled()
    again.send(message(2, duplicate=True))
    await settled()
    assert codes(again) == []
    bench.committer.release()
    assert codes(again) == [(2, 0)]
    assert bench.committer.traffic() == 2


async def test_retry_of_a_message_that_did_not_fit_is_taken(bench: Bench) -> None:
    """A waiting retry hears the same 0x97 as the first, and the id is free."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.committer.hold()
    bench.committer.outcome = Outcome.STORE_FULL
    alice.send(message(2), message(2, packet_id=3))
    bench.committer.release()
    assert codes(alice) == [(1, 0), (2, 0x97), (3, 0x97)]


@pytest.mark.parametrize("fields", [{"to": 3}, {"size": 2_048}, {"payload": b"y" * 1_024}], ids=["to", "size", "bytes"])
async def test_message_id_of_another_message_is_refused(bench: Bench, fields: dict[str, object]) -> None:
    """A replayed id with other content or recipient is PUBACK 0x83, and is not stored."""
    alice = await bench.connect(1)
    alice.send(message(1, payload=b"x" * 1_024))
    await settled()
    alice.send(message(1, **({"payload": b"x" * 1_024} if fields == {"to": 3} else {}) | fields))
    await settled()
    assert codes(alice) == [(1, 0), (1, 0x83)]
    assert bench.committer.traffic() == 1


async def test_ids_of_two_senders_do_not_meet(bench: Bench) -> None:
    """A message id is unique for its sender; somebody else may have the same."""
    alice, carol = await bench.connect(1), await bench.connect(3)
    alice.send(message(1))
    carol.send(message(1))
    await settled()
    assert (codes(alice), codes(carol)) == ([(1, 0)], [(1, 0)])
    assert bench.committer.traffic() == 2


async def test_anonymous_senders_share_the_ring_of_their_recipient(bench: Bench) -> None:
    """A sealed sender has no account: its retry is recognised all the same, and no sender is written down."""
    sealed = await bench.connect(0, client_id="")
    sealed.send(message(1))
    await settled()
    sealed.cut()
    sealed = await bench.connect(0, client_id="")
    sealed.send(message(1, duplicate=True))
    await settled()
    assert codes(sealed) == [(1, 0)]
    assert [row.sender_id for row in bench.committer.rows("traffic")] == [None]


async def test_ring_that_cannot_be_read_promises_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without knowing what was sent before, nothing is taken: DISCONNECT 0x83."""

    async def fail(_: object) -> None:
        raise StoreFailed("unreadable")

    alice = await bench.connect(1)
    monkeypatch.setattr(bench.committer, "read", fail)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    alice.send(message(1))
    await settled()
    assert ended(alice) == Code.IMPLEMENTATION_SPECIFIC_ERROR
    assert bench.committer.traffic() == 0


# Expiry.


async def test_forwarded_interval_is_what_is_left(bench: Bench) -> None:
    """[3.3.2-6]: it counts down, is never 0, and never more than was sent."""
    alice = await bench.connect(1)
    alice.send(message(1, message_expiry_interval=100), message(2, message_expiry_interval=100))
    await settled()
    bench.twin.clock.advance(98.9)
    bob = await bench.connect(2, subscribe=True, receive_max=1)
    (first,) = bob.take(mqtt5.PublishPacket)
    assert first.message_expiry_interval == 2
    bench.twin.clock.advance(1)
    bob.send(mqtt5.PubAckPacket(first.packet_id or 0))
    await settled()
    assert [packet.message_expiry_interval for packet in bob.take(mqtt5.PublishPacket)] == [1]


async def test_expired_message_is_deleted_and_not_sent(bench: Bench) -> None:
    """[3.3.2-5], for a recipient who comes too late; and it counts no more."""
    alice = await bench.connect(1)
    alice.send(message(1, message_expiry_interval=5), message(2, message_expiry_interval=0), message(3))
    await settled()
    bench.twin.clock.advance(5)
    bob = await bench.connect(2, subscribe=True)
    assert numbers(bob) == [3]
    assert [envelope.sequence for envelope in bench.committer.stored(2)] == [3]
    assert bench.twin.mailboxes[2].waiting == 1


async def test_message_without_interval_gets_the_relays(bench: Bench) -> None:
    """Nothing waits for ever: the recipient sees what is left of the relay's own bound."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    alice.send(message(1, message_expiry_interval=None))
    await settled()
    assert [packet.message_expiry_interval for packet in bob.take(mqtt5.PublishPacket)] == [MAX_TTL]


@pytest.mark.parametrize("step", [30 * 86_400.0, -10 * 86_400.0], ids=["forward", "back"])
async def test_step_of_the_wall_clock_changes_no_expiry(bench: Bench, step: float) -> None:
    """Class R10: what lives for an hour lives for an hour of the monotonic clock."""
    alice = await bench.connect(1)
    alice.send(message(1, message_expiry_interval=3_600))
    await settled()
    bench.twin.clock.wall += step
    bench.twin.clock.advance(600)
    bob = await bench.connect(2, subscribe=True)
    assert [packet.message_expiry_interval for packet in bob.take(mqtt5.PublishPacket)] == [3_000]


async def test_sweep_deletes_what_expired_for_devices_that_are_away(bench: Bench) -> None:
    """[3.3.2-5] without anybody connecting; what is on its way to a device is left to the device."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    alice.send(*[message(number, to=number % 2 + 2, message_expiry_interval=10) for number in range(1, 11)])
    await settled()
    assert len(numbers(bob)) == 5
    bench.twin.clock.advance(10)
    await bench.exchange.sweep()
    await settled()
    assert (len(bench.committer.stored(2)), len(bench.committer.stored(3))) == (5, 0)
    assert (bench.twin.mailboxes[2].waiting, bench.twin.mailboxes[3].waiting) == (5, 0)


async def test_sweep_forgets_rings_that_nobody_uses(bench: Bench) -> None:
    """Memory for a sender who is silent goes; the store still knows the ids."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    await bench.exchange.sweep()
    await bench.exchange.sweep()
    assert bench.exchange._intake._rings == {}
    alice.send(message(1, packet_id=9))
    await settled()
    assert codes(alice) == [(1, 0), (9, 0)]
    assert bench.committer.traffic() == 1


# Revocation.


async def test_revoked_device_that_is_connected_gets_nothing_more(bench: Bench) -> None:
    """Class S4: its session ends with 0x87 before another message is delivered, whoever notices first."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    bench.twin.revoked.add(2)
    alice.send(message(1))
    await settled()
    assert numbers(bob) == []
    assert ended(bob) == Code.NOT_AUTHORIZED
    assert bob.is_closed


async def test_disconnect_by_identity(bench: Bench) -> None:
    """Class S4: who is revoked leaves at once, and nobody else does."""
    bob, alice = await bench.connect(2, subscribe=True), await bench.connect(1)
    assert bench.exchange.disconnect(lambda identity: getattr(identity, "account_id", 0) == 2) == 1
    assert ended(bob) == Code.NOT_AUTHORIZED
    alice.send(message(1))
    await settled()
    assert codes(alice) == [(1, 0)]
    assert numbers(bob) == []


async def test_revoked_between_connect_and_connack(bench: Bench) -> None:
    """Class S4: admission is asked again when the store has answered; what was pipelined is not read [3.1.4-6], [3.1.4-2]."""
    bench.committer.hold()
    pipe = Pipe(bench.exchange)
    pipe.send(mqtt5.ConnectPacket("c1", session_expiry_interval=10), message(1))
    await settled()
    bench.twin.revoked.add(1)
    bench.committer.release()
    await settled()
    assert pipe.take(mqtt5.ConnAckPacket)[0].reason_code == ConnAckReasonCode.NOT_AUTHORIZED
    assert pipe.is_closed
    assert bench.committer.traffic() == 0


async def test_revoked_between_resume_and_delivery(bench: Bench) -> None:
    """Class S4: a page of mail that was being fetched is not delivered."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    bob = await bench.connect(2)
    bob.feed(subscribe_to("inbox/2").write())  # the fetch is under way
    bench.twin.revoked.add(2)
    await settled()
    assert numbers(bob) == []
    assert ended(bob) == Code.NOT_AUTHORIZED


async def test_resumed_session_has_no_right_of_its_own(bench: Bench) -> None:
    """Classes S4 and S5: a stored subscription is asked for again, like a new one."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=1_000)
    bob.cut()
    await settled()
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.twin.subscribe = lambda *_: __import__("blindrelay.relay.access", fromlist=["_"])._FILTER_REFUSED  # type: ignore[method-assign]
    bob = await bench.connect(2, session_expiry_interval=1_000)
    assert bob.take(mqtt5.ConnAckPacket)[0].session_present
    assert numbers(bob) == []


async def test_messages_of_a_thrown_out_sender_in_the_same_segment_are_not_taken(bench: Bench) -> None:
    """Class S5: once a connection is ended by us, nothing more of it reaches the store."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    verdicts = [math.inf, 0.0]
    bench.twin.sending = lambda identity, size: verdicts.pop(0)  # type: ignore[method-assign]
    alice.send(message(2), message(3))
    await settled()
    assert ended(alice) == Code.MESSAGE_RATE_TOO_HIGH
    assert bench.committer.traffic() == 1


async def test_a_message_over_the_tenant_s_limit_is_refused_with_a_reason_code(bench: Bench) -> None:
    """PUBACK 0x97; the connection stays, nothing is stored, and the next message within the limit is taken."""
    alice = await bench.connect(1)
    verdicts = [REFUSED, 0.0]
    bench.twin.sending = lambda identity, size: verdicts.pop(0)  # type: ignore[method-assign]
    alice.send(message(1), message(2))
    await settled()
    codes = [int(packet.reason_code) for packet in alice.take(mqtt5.PubAckPacket)]
    assert codes == [0x97, 0x00]
    assert bench.committer.traffic() == 1


# Bounds.


async def test_too_much_undecided_stops_the_reading(bench: Bench) -> None:
    """Q6: a connection whose messages wait for a slow store is not read, and is read again afterwards."""
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    bench.committer.hold()
    count = UNDECIDED_LIMIT // MAX_ENVELOPE + 1
    alice.send(*[message(number, size=MAX_ENVELOPE) for number in range(2, 2 + count)])
    assert alice.held == Hold.UNDECIDED
    assert not alice.is_reading
    bench.committer.release()
    assert alice.is_reading
    assert alice.undecided == 0


async def test_one_sender_takes_no_more_than_its_share_of_a_commit(bench: Bench) -> None:
    """Class Q6: whatever a flooding sender does, a commit holds `RECEIVE_MAXIMUM` of its messages and the others' as well."""
    flood, alice = await bench.connect(3), await bench.connect(1)
    for sender in (flood, alice):
        sender.send(message(1))
    await settled()
    codes(alice)
    bench.committer.hold()
    flood.send(*[message(number, to=4) for number in range(2, RECEIVE_MAXIMUM + 2)])
    alice.send(message(2))
    flood.send(message(9_999))
    assert ended(flood) == Code.RECEIVE_MAX_EXCEEDED
    bench.committer.release()
    assert codes(alice) == [(2, 0)]
    assert bench.committer.traffic() == 2 + RECEIVE_MAXIMUM + 1


async def test_sender_over_its_rate_is_not_read_for_a_while(bench: Bench) -> None:
    """2.15: sending too fast stops the reading; the message itself is taken."""
    alice = await bench.connect(1)
    bench.twin.delay = 0.001
    alice.send(message(1), message(2))
    assert alice.held == Hold.RATE
    bench.twin.delay = 0.0
    await asyncio.sleep(0.01)  # the pause is the event loop's own timer
    assert alice.is_reading
    assert codes(alice) == [(1, 0), (2, 0)]


# Requests.


def request(number: int = 1, **fields: object) -> mqtt5.PublishPacket:
    defaults: dict[str, object] = {"topic": "rpc/look", "response_topic": "reply/c1", "payload": b"q%d" % number}
    return message(number, **(defaults | fields))


async def caller(bench: Bench) -> Pipe:
    alice = await bench.connect(1)
    alice.send(subscribe_to("reply/c1"))
    return alice


async def test_request_is_answered_on_the_reply_topic(bench: Bench) -> None:
    """QoS 0, the same correlation data [3.3.2-15] [3.3.2-16]; PUBACK comes at once."""
    alice = await caller(bench)
    alice.send(request(correlation_data=b"any length"))
    assert codes(alice) == [(1, 0)]
    await settled()
    (answer,) = alice.take(mqtt5.PublishPacket)
    assert (answer.topic, answer.payload, answer.correlation_data) == ("reply/c1", b"answer to q1", b"any length")
    assert answer.qos == mqtt5.QoS.AT_MOST_ONCE
    assert bench.twin.requests == [("look", b"q1")]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"response_topic": "reply/c2"}, 0x87),
        ({"response_topic": "inbox/2"}, 0x87),
        ({"response_topic": None}, 0x87),
        ({"payload": b"x" * 65_537}, 0x99),
        ({"user_properties": [("a", "b")]}, 0x83),
    ],
    ids=["another's", "an inbox", "none", "large", "properties"],
)
async def test_request_that_is_refused_is_not_carried_out(bench: Bench, fields: dict[str, object], code: int) -> None:
    """Class S6 and its neighbours: nobody makes the relay write to somebody else."""
    alice = await caller(bench)
    alice.send(request(**fields))
    await settled()
    assert codes(alice) == [(1, code)]
    assert bench.twin.requests == []


async def test_request_without_subscription_is_refused(bench: Bench) -> None:
    """[3.3.2-3]: an answer that nobody subscribed to could not be sent, so the request is not carried out."""
    alice = await bench.connect(1)
    alice.send(request())
    await settled()
    assert codes(alice) == [(1, 0x83)]
    assert bench.twin.requests == []


async def test_requests_of_one_connection_are_bounded(bench: Bench) -> None:
    """Some run, some wait, the rest is refused with 0x97; all that were taken are answered."""
    alice = await caller(bench)
    bench.twin.rpc_gate.clear()
    taken = CALLS_AT_ONCE + CALLS_WAITING
    alice.send(*[request(number) for number in range(1, taken + 2)])
    await settled()
    assert len(bench.twin.requests) == CALLS_AT_ONCE
    assert [code for _, code in codes(alice)] == [0] * taken + [0x97]
    bench.twin.rpc_gate.set()
    await settled()
    await settled()
    assert len(alice.take(mqtt5.PublishPacket)) == taken


async def test_request_that_breaks_is_answered_with_unavailable(bench: Bench) -> None:
    """A bug behind a request ends nothing: the client has an answer, the operator a report."""
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["message"]))
    bench.twin.answer = lambda method, payload: payload.index(b"absent")  # type: ignore[assignment,return-value]
    alice = await caller(bench)
    alice.send(request())
    await settled()
    assert b'"unavailable"' in alice.take(mqtt5.PublishPacket)[0].payload
    assert reported == ["a request failed"]


async def test_answer_for_a_connection_that_left_goes_nowhere(bench: Bench) -> None:
    """A request under way when its connection ends is finished, and its answer dropped."""
    alice = await caller(bench)
    bench.twin.rpc_gate.clear()
    alice.send(request())
    await settled()
    alice.cut()
    bench.twin.rpc_gate.set()
    await settled()
    assert alice.take(mqtt5.PublishPacket) == []
