"""What of a session outlives its connection and the relay: [3.1.2-4], [3.1.2-5], [3.1.2-6], [3.1.2-23], [4.1.0-1], [4.1.0-2];
decision D2; bug classes S1, S2, R3."""

import mqtt5
from mqtt5 import SubAckReasonCode

from blindrelay.relay.errors import StoreFull
from blindrelay.relay.sessions import MAX_SESSION_EXPIRY, Sessions
from support.twin import Bench, message, number_of, settled, subscribe_to


def now() -> int:
    return 1_000


async def present(bench: Bench, **options: object) -> bool:
    pipe = await bench.connect(2, **options)
    (connack,) = pipe.take(mqtt5.ConnAckPacket)
    pipe.cut()
    await settled()
    return bool(connack.session_present)


async def test_session_is_present_when_it_was_kept(bench: Bench) -> None:
    """[3.1.2-5], [3.1.2-6], [3.1.3-2], [3.2.2-2], [3.2.2-3]: 0 for the first, 1 for the second."""
    assert not await present(bench, session_expiry_interval=60)
    assert await present(bench, session_expiry_interval=60)


async def test_clean_start_ends_the_session(bench: Bench) -> None:
    """[3.1.2-4], [3.1.4-4]: Session Present 0, and the subscriptions are gone for good."""
    pipe = await bench.connect(2, subscribe=True, session_expiry_interval=60)
    pipe.cut()
    assert not await present(bench, session_expiry_interval=60, clean_start=True)
    await bench.restart()
    pipe = await bench.connect(2, session_expiry_interval=60)
    assert pipe.take(mqtt5.ConnAckPacket)[0].session_present
    assert pipe.subscriptions == set()


async def test_session_without_expiry_ends_with_its_connection(bench: Bench) -> None:
    """[3.1.2-23]: also when it was one to keep before."""
    await present(bench, session_expiry_interval=60)
    assert await present(bench)
    assert not await present(bench)
    assert bench.committer.rows("session") == []


async def test_session_ends_when_its_interval_has_passed(bench: Bench) -> None:
    """[4.1.0-2], and not a second before."""
    await present(bench, session_expiry_interval=60)
    bench.twin.clock.advance(59)
    assert await present(bench, session_expiry_interval=60)
    bench.twin.clock.advance(60)
    assert not await present(bench, session_expiry_interval=60)


async def test_session_does_not_end_while_connected(bench: Bench) -> None:
    """[4.1.0-1]: however long the connection lasts, and whatever the sweep does."""
    pipe = await bench.connect(2, subscribe=True, session_expiry_interval=60)
    bench.twin.clock.advance(10_000)
    await bench.exchange.sweep()
    pipe.cut()
    await settled()
    assert await present(bench, session_expiry_interval=60)


async def test_sweep_deletes_what_is_over(bench: Bench) -> None:
    """[4.1.0-2]: from the store, too."""
    await present(bench, session_expiry_interval=60)
    assert len(bench.committer.rows("session")) == 1
    bench.twin.clock.advance(60)
    await bench.exchange.sweep()
    assert bench.committer.rows("session") == []


async def test_session_survives_a_restart(bench: Bench) -> None:
    """[3.2.2-2], class R3: Session Present and subscriptions come from the store."""
    pipe = await bench.connect(2, subscribe=True, session_expiry_interval=60)
    pipe.cut()
    await settled()
    await bench.restart()
    pipe = await bench.connect(2, session_expiry_interval=60)
    assert pipe.take(mqtt5.ConnAckPacket)[0].session_present
    alice = await bench.connect(1)
    alice.send(message(1))
    await settled()
    assert [number_of(packet) for packet in pipe.take(mqtt5.PublishPacket)] == [1]


async def test_connected_at_the_crash_counts_from_the_restart(bench: Bench) -> None:
    """[4.1.0-1]: a crash while connected ends the connection then, not at some time before."""
    await bench.connect(2, subscribe=True, session_expiry_interval=60)
    bench.twin.clock.advance(10_000)
    await bench.restart()
    bench.twin.clock.advance(59)
    assert await present(bench, session_expiry_interval=60)


async def test_unsubscribed_stays_unsubscribed_after_a_restart(bench: Bench) -> None:
    """[3.10.4-2]: UNSUBACK comes when it is durable."""
    pipe = await bench.connect(2, subscribe=True, session_expiry_interval=60)
    bench.committer.hold()
    pipe.send(mqtt5.UnsubscribePacket(5, ["inbox/2"]))
    await settled()
    assert pipe.take(mqtt5.UnsubAckPacket) == []
    bench.committer.release()
    await settled()
    assert len(pipe.take(mqtt5.UnsubAckPacket)) == 1
    await bench.restart()
    assert (await bench.connect(2, session_expiry_interval=60)).subscriptions == set()


async def test_interval_is_bounded_and_the_client_told(bench: Bench) -> None:
    """Section 1: the value in CONNACK is the one that will hold."""
    pipe = await bench.connect(2, session_expiry_interval=0xFFFFFFFF)
    assert pipe.take(mqtt5.ConnAckPacket)[0].session_expiry_interval == MAX_SESSION_EXPIRY
    pipe.send(mqtt5.DisconnectPacket(session_expiry_interval=0xFFFFFFFF))
    await settled()
    assert bench.committer.rows("session")[0].expiry == MAX_SESSION_EXPIRY


async def test_disconnect_can_end_the_session(bench: Bench) -> None:
    """2.3: Session Expiry 0 in DISCONNECT replaces that of CONNECT."""
    pipe = await bench.connect(2, session_expiry_interval=60)
    pipe.send(mqtt5.DisconnectPacket(session_expiry_interval=0))
    await settled()
    assert bench.committer.rows("session") == []
    assert not await present(bench)


async def test_full_disk_keeps_nobody_out_and_promises_nothing(bench: Bench) -> None:
    """Class R8: reading goes on; CONNACK says that the session will not be kept, and SUBSCRIBE is granted all the same."""
    bench.committer.run_error = StoreFull("full")
    pipe = await bench.connect(2, session_expiry_interval=60)
    (connack,) = pipe.take(mqtt5.ConnAckPacket)
    assert connack.session_expiry_interval == 0
    pipe.send(subscribe_to("inbox/2"))
    await settled()
    assert pipe.take(mqtt5.SubAckPacket)[0].reason_codes == [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]
    bench.committer.run_error = None


async def test_full_disk_while_subscribing(bench: Bench) -> None:
    """Class R8: a device can empty its mailbox while nothing can be written."""
    pipe = await bench.connect(2, session_expiry_interval=60)
    bench.committer.run_error = StoreFull("full")
    pipe.send(subscribe_to("inbox/2"))
    await settled()
    assert pipe.take(mqtt5.SubAckPacket)[0].reason_codes == [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]
    bench.committer.run_error = None


async def test_sessions_of_two_accounts_do_not_meet(bench: Bench) -> None:
    """Decision D2, classes S1 and S2: the key is (account, client id), so a clean start of one is nothing to the other."""
    sessions = Sessions(bench.committer, now)
    mine, _ = sessions.open(1, "same", clean_start=False, expiry=60)
    sessions.end(mine, 60)
    theirs, was_there = sessions.open(2, "same", clean_start=True, expiry=60)
    assert not was_there
    assert theirs is not mine
    again, was_there = sessions.open(1, "same", clean_start=False, expiry=60)
    assert (again, was_there) == (mine, True)


async def test_forgotten_device_has_no_session(bench: Bench) -> None:
    """Class S4: revoked for good, nothing is left to resume."""
    await present(bench, session_expiry_interval=60)
    await bench.exchange.sessions.forget(2)
    assert bench.committer.rows("session") == []
    assert not await present(bench)


async def test_late_save_of_an_ended_session_does_not_undo_the_new_one(bench: Bench) -> None:
    """What is saved is what memory says when the commit is made: a takeover cannot be overwritten by the old connection."""
    sessions = bench.exchange.sessions
    record, _ = sessions.open(7, "c7", clean_start=True, expiry=60)
    await sessions.save(record)
    sessions.end(record, 0)
    new, _ = sessions.open(7, "c7", clean_start=True, expiry=90)
    await sessions.save(record)
    rows = [row for row in bench.committer.rows("session") if row.account_id == 7]
    assert [(row.expiry, row.ended_at) for row in rows] == [(90, None)]
    sessions.end(new, 0)
    await sessions.save(new)
