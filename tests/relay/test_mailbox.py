"""An inbox and its way to the device: live and behind, in flight and resumed, bounded.

Bug classes Q2, Q3, R2, R3, R4, R5; decisions D1, D8, D9, D10, D11.
"""

import random
from collections.abc import Callable
from typing import TypeVar

import mqtt5
import pytest
from mqtt5 import DisconnectReasonCode as Code
from sqlalchemy import Connection

from blindrelay.relay import mailbox as module
from blindrelay.relay.mailbox import HELD_LIMIT, ID_SPAN, PAGE_BYTES, Mailbox, Quota, waiting_envelopes
from blindrelay.relay.mqtt.session import DELIVERY_WINDOW
from blindrelay.relay.store.committer import Outcome
from blindrelay.relay.store.entries import Accepted
from support.twin import Bench, Pipe, message, number_of, settled, subscribe_to

T = TypeVar("T")


def deliveries(pipe: Pipe) -> list[mqtt5.PublishPacket]:
    return pipe.take(mqtt5.PublishPacket)


def numbers(pipe: Pipe) -> list[int]:
    return [number_of(packet) for packet in deliveries(pipe)]


def acknowledge(pipe: Pipe, packets: list[mqtt5.PublishPacket]) -> None:
    pipe.feed(b"".join(mqtt5.PubAckPacket(packet.packet_id or 0).write() for packet in packets))


async def fill(bench: Bench, *numbers: int, **fields: object) -> None:
    """Alice sends these to account 2."""
    alice = await bench.connect(1)
    for number in numbers:
        alice.send(message(number, packet_id=1 + number % 60_000, **fields))
        if number % 100 == 0:
            await settled()
    await settled()
    alice.cut()
    await settled()


async def test_waiting_mail_comes_with_the_subscription(bench: Bench) -> None:
    """In the order of acceptance, DUP 0: nothing of it was sent before [4.3.2-2]."""
    await fill(bench, 1, 2, 3)
    bob = await bench.connect(2, subscribe=True)
    packets = deliveries(bob)
    assert [number_of(packet) for packet in packets] == [1, 2, 3]
    assert [packet.packet_id for packet in packets] == [2, 3, 4]  # decision D8: 1 + sequence mod 65,535
    assert not any(packet.duplicate for packet in packets)


async def test_resume_sends_the_unacknowledged_again(bench: Bench) -> None:
    """Class R3: [3.3.1-1], [3.3.1-3], [4.4.0-1], [4.6.0-5]: same ids, same order, DUP 1, then what is new, DUP 0."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1, 2, 3)
    before = deliveries(bob)
    acknowledge(bob, before[1:2])
    bob.cut()
    await fill(bench, 4)

    bob = await bench.connect(2, session_expiry_interval=600)

    assert bob.take(mqtt5.ConnAckPacket)[0].session_present
    after = [(number_of(packet), packet.packet_id, packet.duplicate) for packet in deliveries(bob)]
    assert after == [(1, before[0].packet_id, True), (3, before[2].packet_id, True), (4, 5, False)]


async def test_resume_after_a_restart(bench: Bench) -> None:
    """Class R3, decision D9: same ids and order from the store alone; DUP 1 for what was there when the connection was up."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1, 2)
    before = deliveries(bob)
    bob.cut()
    await settled()
    bench.twin.clock.advance(10)
    await fill(bench, 3)
    await bench.restart()

    bob = await bench.connect(2, session_expiry_interval=600)

    assert bob.take(mqtt5.ConnAckPacket)[0].session_present  # [3.2.2-2]
    after = [(number_of(packet), packet.packet_id, packet.duplicate) for packet in deliveries(bob)]
    assert after == [(1, before[0].packet_id, True), (2, before[1].packet_id, True), (3, 4, False)]


async def test_resume_after_a_crash(bench: Bench) -> None:
    """Decision D9: connected when the relay died, so everything may have been sent: DUP 1."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1)
    assert len(deliveries(bob)) == 1
    await bench.restart()
    bob = await bench.connect(2, session_expiry_interval=600)
    assert [packet.duplicate for packet in deliveries(bob)] == [True]


async def test_a_restart_is_remembered_over_a_short_connection(bench: Bench) -> None:
    """Class R3, decision D9: a connection that got one message does not make the others, sent before the crash, new again."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1, 2, 3)
    assert len(deliveries(bob)) == 3
    await bench.restart()
    bob = await bench.connect(2, session_expiry_interval=600, receive_max=1)
    assert [packet.duplicate for packet in deliveries(bob)] == [True]
    bob.cut()
    await settled()
    bench.twin.clock.advance(10)
    await fill(bench, 4)

    bob = await bench.connect(2, session_expiry_interval=600)

    assert [(number_of(packet), packet.duplicate) for packet in deliveries(bob)] == [
        (1, True),
        (2, True),
        (3, True),
        (4, False),
    ]


async def test_a_page_may_know_more_than_the_loop(bench: Bench) -> None:
    """A reader sees a commit before it has been settled: what it brings is sent once, and the settling goes on."""
    await fill(bench, 1)
    alice = await bench.connect(1)
    unsettled: list[tuple[list[Accepted], Outcome]] = []
    bench.committer._settle = lambda batch, outcome: unsettled.append((batch, outcome))
    alice.send(message(2), message(3))
    await settled()

    bob = await bench.connect(2, subscribe=True)
    for batch, outcome in unsettled:
        bench.exchange.settle(batch, outcome)
    await settled()

    assert numbers(bob) == [1, 2, 3]
    assert len(alice.take(mqtt5.PubAckPacket)) == 2


async def test_clean_start_keeps_the_mailbox(bench: Bench) -> None:
    """Decision D1: Session Present 0, and after SUBSCRIBE the mail comes as new."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1)
    assert len(deliveries(bob)) == 1
    bob.cut()
    bob = await bench.connect(2, clean_start=True)
    assert not bob.take(mqtt5.ConnAckPacket)[0].session_present
    assert deliveries(bob) == []
    bob.send(subscribe_to("inbox/2"))
    await settled()
    assert [packet.duplicate for packet in deliveries(bob)] == [False]


async def test_nothing_is_sent_again_on_a_live_connection(bench: Bench) -> None:
    """[4.4.0-1]: no retry timer, and SUBSCRIBE again sends nothing twice [3.8.4-3]."""
    bob = await bench.connect(2, subscribe=True)
    await fill(bench, 1, 2)
    assert numbers(bob) == [1, 2]
    bench.twin.clock.advance(10_000)
    await bench.exchange.sweep()
    bob.send(subscribe_to("inbox/2"))
    await settled()
    assert deliveries(bob) == []


async def test_expired_while_in_flight_is_not_sent_again(bench: Bench) -> None:
    """Decision D10: a time to live is a promise."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1, message_expiry_interval=5)
    await fill(bench, 2)
    assert numbers(bob) == [1, 2]
    bob.cut()
    bench.twin.clock.advance(5)
    bob = await bench.connect(2, session_expiry_interval=600)
    assert numbers(bob) == [2]
    assert [envelope.sequence for envelope in bench.committer.stored(2)] == [2]


async def test_what_a_sweep_finds_and_the_device_acknowledges_meanwhile_is_counted_out_once(bench: Bench) -> None:
    """The device is there while the sweep looks, and gone when it acts by what it saw."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1, message_expiry_interval=5)
    await fill(bench, 2)
    packets = deliveries(bob)
    bench.twin.clock.advance(6)
    read = bench.committer.read

    async def slowly(query: Callable[[Connection], T]) -> T:
        found = await read(query)
        acknowledge(bob, packets[:1])
        bob.cut()
        await settled()
        return found

    bench.committer.read = slowly  # type: ignore[method-assign]
    await bench.exchange.sweep()

    mailbox = bench.twin.mailbox(2)
    assert mailbox is not None
    assert mailbox.waiting == 1
    assert [envelope.sequence for envelope in bench.committer.stored(2)] == [2]


async def test_who_is_owed_a_message_is_for_the_store_to_say(bench: Bench) -> None:
    """A mailbox that is counted empty and is not: what waits comes, and comes before what is newer."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1, 2)
    bob.cut()
    await settled()
    mailbox = bench.twin.mailbox(2)
    assert mailbox is not None
    mailbox.waiting = 0

    bob = await bench.connect(2, session_expiry_interval=600)
    await fill(bench, 3)

    assert numbers(bob) == [1, 2, 3]


async def test_refused_delivery_is_deleted(bench: Bench) -> None:
    """Decision D11, [4.4.0-2]."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1)
    (packet,) = deliveries(bob)
    bob.send(mqtt5.PubAckPacket(packet.packet_id or 0, reason_code=mqtt5.PubAckReasonCode.QUOTA_EXCEEDED))
    bob.cut()
    await settled()
    assert bench.committer.stored(2) == []
    assert deliveries(await bench.connect(2, session_expiry_interval=600)) == []


async def test_late_puback_after_a_takeover_acknowledges_nothing(bench: Bench) -> None:
    """Class R5: [3.1.4-3]; the new connection is sent the message, and the old one's PUBACK has no effect."""
    old = await bench.connect(2, subscribe=True, session_expiry_interval=600)
    await fill(bench, 1)
    (packet,) = deliveries(old)
    new = await bench.connect(2, session_expiry_interval=600)
    assert old.take(mqtt5.DisconnectPacket)[0].reason_code == Code.SESSION_TAKEN_OVER
    old.feed(mqtt5.PubAckPacket(packet.packet_id or 0).write())
    await settled()
    assert len(bench.committer.stored(2)) == 1
    assert [again.packet_id for again in deliveries(new)] == [packet.packet_id]


async def test_second_reader_takes_the_inbox_over(bench: Bench) -> None:
    """An inbox has one reader: another session of the same device that subscribes ends the first one's connection."""
    first = await bench.connect(2, subscribe=True)
    second = await bench.connect(2, client_id="", username="2")
    assert not first.is_closed
    second.send(subscribe_to("inbox/2"))
    await settled()
    assert first.take(mqtt5.DisconnectPacket)[0].reason_code == Code.SESSION_TAKEN_OVER
    await fill(bench, 1)
    assert (numbers(first), numbers(second)) == ([], [1])


async def test_a_thousand_reconnects_without_puback(bench: Bench) -> None:
    """Class Q3: nobody runs out of ids or quota; then everything arrives, once each."""
    await fill(bench, *range(1, 11))
    for _ in range(1_000):
        bob = await bench.connect(2, subscribe=True, session_expiry_interval=600, receive_max=3)
        assert numbers(bob) == [1, 2, 3]
        bob.cut()
    bob = await bench.connect(2, session_expiry_interval=600)
    received = deliveries(bob)
    assert [number_of(packet) for packet in received] == list(range(1, 11))
    acknowledge(bob, received)
    await settled()
    assert bench.committer.stored(2) == []
    assert bench.twin.mailboxes[2].waiting == 0


async def test_subscribing_again_loses_nothing_that_is_published_meanwhile(bench: Bench) -> None:
    """[3.8.4-3], [3.8.4-4]: the subscription is replaced, and every message comes once."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=60)
    alice = await bench.connect(1)
    for number in range(1, 21):
        alice.send(message(number))
        bob.send(subscribe_to("inbox/2", packet_id=number))
        await settled()
    assert numbers(bob) == list(range(1, 21))


# Windows.


async def test_window_of_the_client_holds_for_what_is_sent_again(bench: Bench) -> None:
    """[4.9.0-1], [4.9.0-2], [3.3.4-9]: per connection, resent messages included; each PUBACK lets one more through."""
    bob = await bench.connect(2, subscribe=True, session_expiry_interval=600, receive_max=4)
    await fill(bench, *range(1, 11))
    assert numbers(bob) == [1, 2, 3, 4]
    bob.cut()
    bob = await bench.connect(2, session_expiry_interval=600, receive_max=2)
    packets = deliveries(bob)
    assert [number_of(packet) for packet in packets] == [1, 2]
    acknowledge(bob, packets[:1])
    await settled()
    assert numbers(bob) == [3]


async def test_our_own_window(bench: Bench) -> None:
    """Whatever the client offers, what would have to be sent again is bounded."""
    await fill(bench, *range(1, DELIVERY_WINDOW + 51))
    bob = await bench.connect(2, subscribe=True)
    packets = deliveries(bob)
    assert len(packets) == DELIVERY_WINDOW
    acknowledge(bob, packets)
    await settled()
    assert len(deliveries(bob)) == 50


async def test_new_messages_do_not_overtake_a_page_that_is_being_fetched(bench: Bench) -> None:
    """Class R4: published while the resume is under way, delivered after what was there before [4.6.0-6]."""
    await fill(bench, 1, 2, 3)
    alice = await bench.connect(1)
    bob = await bench.connect(2)
    bob.feed(subscribe_to("inbox/2").write())  # a page is under way now
    alice.send(message(4), message(5))
    bench.committer.commit()
    assert deliveries(bob) == []
    await settled()
    assert numbers(bob) == [1, 2, 3, 4, 5]


async def test_client_that_does_not_read_gets_nothing_more(bench: Bench) -> None:
    """Class Q2: nothing is delivered while the transport is full; it goes on when there is room, in order."""
    bob = await bench.connect(2, subscribe=True)
    bob.writable = False
    await fill(bench, 1, 2, 3)
    assert deliveries(bob) == []
    bob.writable = True
    bench.exchange.writable(bob)
    bob.flush()
    await settled()
    assert numbers(bob) == [1, 2, 3]


async def test_what_is_held_in_memory_is_bounded(bench: Bench) -> None:
    """Class Q2: a reader that lags holds one page; the rest stays in the store, and comes from there."""
    bob = await bench.connect(2, subscribe=True, receive_max=1)
    count = PAGE_BYTES // 16_384 * 2
    await fill(bench, *range(1, count + 1), size=16_384)
    assert bench.exchange.held_bytes <= PAGE_BYTES + 16_384
    seen = []
    while packets := deliveries(bob):
        seen += [number_of(packet) for packet in packets]
        acknowledge(bob, packets)
        await settled()
    assert seen == list(range(1, count + 1))
    assert bench.exchange.held_bytes == 0
    assert bench.committer.fetches < count / 4


async def test_what_all_connections_hold_together_is_bounded(bench: Bench) -> None:
    """Class Q2: above the common bound nothing is held, and nothing is lost."""
    bob = await bench.connect(2, subscribe=True, receive_max=1)
    bench.exchange.held_bytes = HELD_LIMIT + 1  # as if many others did not keep up
    await fill(bench, *range(1, 21))
    assert bench.exchange.held_bytes == HELD_LIMIT + 1
    seen = []
    while packets := deliveries(bob):
        seen += [number_of(packet) for packet in packets]
        acknowledge(bob, packets)
        await settled()
    assert seen == list(range(1, 21))


async def test_outbox_is_bounded_between_two_writes(bench: Bench) -> None:
    """A page of large messages is written in pieces, not gathered as a whole."""
    await fill(bench, *range(1, 9), size=262_144)
    bob = await bench.connect(2, subscribe=True)
    bob.writes = 0
    assert len(deliveries(bob)) == 8
    assert max(len(packet.payload) for packet in deliveries(bob) or [message(1)]) <= 262_144


# Packet ids.


async def test_two_messages_in_flight_never_share_an_id(bench: Bench) -> None:
    """Decision D8, class R2: delivery waits while the span in flight would reach 65,535, and goes on after the PUBACK."""
    bob = await bench.connect(2, subscribe=True)
    await fill(bench, 1)
    (first,) = deliveries(bob)
    inbox = bench.twin.mailboxes[2]
    inbox.next_sequence = 1 + ID_SPAN - 1
    await fill(bench, 2, 3, 4)
    (second,) = deliveries(bob)
    assert number_of(second) == 2
    acknowledge(bob, [first])
    await settled()
    third, fourth = deliveries(bob)
    assert (number_of(third), number_of(fourth)) == (3, 4)
    assert third.packet_id == first.packet_id
    assert 0 not in {first.packet_id, second.packet_id, third.packet_id, fourth.packet_id}  # [2.2.1-4]


async def test_random_pubacks_over_a_wrap_acknowledge_what_they_name(bench: Bench) -> None:
    """Class R2: late and out of order around the wrap, each PUBACK deletes the envelope that had its id."""
    chance = random.Random(3)
    bob = await bench.connect(2, subscribe=True)
    await fill(bench, 1)
    bench.twin.mailboxes[2].next_sequence = ID_SPAN - 300
    alice = await bench.connect(1)
    open_packets, seen = deliveries(bob), [1]
    acknowledge(bob, open_packets)
    open_packets = []
    for number in range(2, 802):
        alice.send(message(number))
        await settled()
        new = deliveries(bob)
        seen += [number_of(packet) for packet in new]
        open_packets += new
        if chance.random() < 0.7 and open_packets:
            packet = open_packets.pop(chance.randrange(len(open_packets)))
            acknowledge(bob, [packet])
            await settled()
            stored = {int.from_bytes(envelope.payload[:4], "big") for envelope in bench.committer.stored(2)}
            assert number_of(packet) not in stored
        assert len({packet.packet_id for packet in open_packets}) == len(open_packets)
    assert seen == list(range(1, 802))[: len(seen)]
    while open_packets:
        acknowledge(bob, open_packets)
        await settled()
        open_packets = deliveries(bob)
        seen += [number_of(packet) for packet in open_packets]
    assert seen == list(range(1, 802))
    assert bench.committer.stored(2) == []


# UNSUBSCRIBE.


async def test_unsubscribe_stops_what_is_new_and_completes_what_is_in_flight(bench: Bench) -> None:
    """[3.10.4-1], [3.10.4-2], [3.10.4-3], [3.10.4-4], [3.10.4-5], [3.10.4-6], [3.11.3-1], [3.11.3-2]: a code for each filter,
    in order, compared character by character; subscribed again, it goes on with nothing lost or doubled."""
    bob = await bench.connect(2, subscribe=True)
    await fill(bench, 1)
    (packet,) = deliveries(bob)
    bob.feed(b"\xa2\x19\x00\x09\x00\x00\x07inbox/2\x00\x07Inbox/2\x00\x02a+")
    (unsuback,) = bob.take(mqtt5.UnsubAckPacket)
    assert (unsuback.packet_id, [int(code) for code in unsuback.reason_codes]) == (9, [0x00, 0x11, 0x8F])
    await fill(bench, 2)
    acknowledge(bob, [packet])
    await settled()
    assert deliveries(bob) == []
    assert [envelope.sequence for envelope in bench.committer.stored(2)] == [2]
    bob.send(subscribe_to("inbox/2"))
    await settled()
    assert numbers(bob) == [2]


# Numbers.


@pytest.mark.parametrize(("count", "size", "fits"), [(1, 100, True), (2, 99, False), (1, 101, False)])
def test_quota(count: int, size: int, fits: bool) -> None:
    """Class Q1: count and bytes are bounds of their own."""
    inbox = Mailbox(1, "inbox/1", Quota(count=2, size=100))
    inbox.waiting = count
    assert inbox.has_room(size) is fits


def test_mailbox_that_was_emptied_does_not_count_below_nothing() -> None:
    """What was under way when a device was revoked still comes to leave its mailbox."""
    inbox = Mailbox(1, "inbox/1", Quota())
    inbox.enter(1_024)
    inbox.empty()
    inbox.leave(1_024)
    assert (inbox.waiting, inbox.waiting_bytes) == (0, 0)


async def test_counts_are_restored_from_the_store(bench: Bench) -> None:
    """After a restart the quota counts what waits, and the next place is a new one."""
    await fill(bench, 1, 2, 3)
    assert await bench.committer.read(waiting_envelopes) == [(2, 3, 3 * 1_024, 3)]
    inbox = Mailbox(2, "inbox/2", Quota())
    inbox.restore(3, 3 * 1_024, 3)
    assert (inbox.waiting, inbox.enter(5), inbox.committed) == (3, 4, 3)


def test_states_of_an_envelope_are_described() -> None:
    """The module's text names the three places where an envelope that waits can be."""
    for word in ("in flight", "held", "behind"):
        assert word in (module.__doc__ or "")
