"""Devices on a running relay: what applications build on."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from blindrelay.clients import (
    AdmissionRefused,
    Attachment,
    Closed,
    ContentTooLarge,
    Device,
    Enterprise,
    NoDeliveryToken,
    NotPossible,
    RelayUnreachable,
    RequestRefused,
    Stage,
    StoreFailed,
    TimedOut,
    UnknownRecipient,
)
from blindrelay.clients.connection import Connection
from blindrelay.clients.content import Delivered, Letter, Retract
from blindrelay.clients.courier import new_id
from blindrelay.clients.directory import Directory
from blindrelay.clients.link import Inbound, Link
from blindrelay.clients.message import News
from blindrelay.clients.outbox import Outbox
from blindrelay.clients.postroom import Arrival, Postroom, Unsealed
from blindrelay.clients.upkeep import Upkeep
from blindrelay.clients.vault import CHEAP
from blindrelay.protocol import topics
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.rpc import COUNT_PREKEYS, Empty, ErrorCode
from blindrelay.relay.server import Relay
from support import people, ports, site
from support.party import HandClock
from support.people import SOON

BOB = "bob@globex.example"


@pytest.fixture
async def globe(relay: Relay) -> AsyncIterator[Enterprise]:
    """globex.example, with an authority of its own."""
    async with people.enterprise(relay, "globex.example") as enterprise:
        yield enterprise


@pytest.fixture
async def summit(relay: Relay) -> AsyncIterator[Enterprise]:
    """acme.example, likewise."""
    async with people.enterprise(relay, "acme.example") as enterprise:
        yield enterprise


@pytest.fixture
async def alice(summit: Enterprise) -> AsyncIterator[Device]:
    """alice@acme.example, connected."""
    async with await people.person(summit, "alice", "laptop") as device:
        yield device


@pytest.fixture
async def bob(globe: Enterprise) -> AsyncIterator[Device]:
    """bob@globex.example, connected."""
    async with await people.person(globe, "bob") as device:
        yield device


async def test_a_receipt_goes_from_accepted_over_delivered_to_read(alice: Device, bob: Device) -> None:
    """Accepted is the relay's word, delivered the device's, read the person's; each can be awaited."""
    receipt = await alice.send(BOB, "Shall we meet?")
    await receipt.delivered(SOON)
    assert receipt.stage is Stage.DELIVERED

    message = await bob.receive(SOON)
    await receipt.read(SOON)

    assert (message.text, str(message.sender)) == ("Shall we meet?", "alice@acme.example")
    assert receipt.devices == {bob.address: Stage.READ}


async def test_nobody_is_told_that_a_message_was_read_unless_they_say_so(alice: Device, globe: Enterprise) -> None:
    """With read receipts off, receiving is not reading; marking a message as read tells its sender."""
    async with await people.person(globe, "bob", read_receipts=False) as bob:
        receipt = await alice.send(BOB, "psst")
        message = await bob.receive(SOON)
        await receipt.delivered(SOON)
        with pytest.raises(TimedOut, match="it is delivered"):
            await receipt.read(0.1)
        message.mark_read()
        await receipt.read(SOON)


async def test_an_answer_names_the_message_it_answers(alice: Device, bob: Device) -> None:
    """A reply goes back to the sender and says what it is a reply to."""
    receipt = await alice.send(BOB, "Lunch?")
    await (await bob.receive(SOON)).reply("At noon.")

    answer = await alice.receive(SOON)

    assert (answer.text, answer.reply_to) == ("At noon.", receipt.id)


async def test_messages_are_iterated_over_until_the_device_is_left(alice: Device, globe: Enterprise) -> None:
    """`async for` gives messages in the order they were sent, and ends when the device is left."""
    seen: list[str] = []
    bob = await people.person(globe, "bob")

    async def listen() -> None:
        seen.extend([message.text async for message in bob])

    async with bob:
        listener = asyncio.create_task(listen())
        receipts = [await alice.send(BOB, str(number)) for number in range(30)]
        for receipt in receipts:
            await receipt.read(SOON)
    await asyncio.wait_for(listener, SOON)
    assert seen == [str(number) for number in range(30)]


async def test_a_message_waits_for_a_device_that_is_away(alice: Device, globe: Enterprise) -> None:
    """What is sent to an absent device is there when it comes back, once."""
    bob = await people.person(globe, "bob")
    receipt = await alice.send(BOB, "when you are back")
    await receipt.accepted(SOON)
    assert receipt.stage is Stage.ACCEPTED

    async with bob:
        assert (await bob.receive(SOON)).text == "when you are back"
        await receipt.read(SOON)
        with pytest.raises(TimedOut):
            await bob.receive(0.05)


async def test_a_message_that_was_not_taken_is_handed_out_after_a_restart(
    alice: Device, globe: Enterprise, relay: Relay, tmp_path: Path
) -> None:
    """A message is acknowledged when it is stored, so an application that ends before it took it gets it the next time."""
    folder = tmp_path / "bob"
    await globe.issue("bob", "phone", folder, "correct horse", cost=CHEAP)
    async with Device.open(folder, "correct horse", people.address_of(relay), options=people.BRISK):
        await (await alice.send(BOB, "still there?")).delivered(SOON)

    async with Device.open(folder, "correct horse", people.address_of(relay), options=people.BRISK) as bob:
        assert (await bob.receive(SOON)).text == "still there?"
    async with Device.open(folder, "correct horse", people.address_of(relay), options=people.BRISK) as bob:
        with pytest.raises(TimedOut):
            await bob.receive(0.05)


async def test_every_device_of_the_recipient_and_the_senders_others_get_the_message(
    alice: Device, summit: Enterprise, globe: Enterprise
) -> None:
    """A message goes to all devices of the recipient, and as a copy to the sender's own other devices."""
    async with (
        await people.person(globe, "bob", "phone") as phone,
        await people.person(globe, "bob", "desk") as desk,
        await people.person(summit, "alice", "tablet") as tablet,
    ):
        news = tablet.updates()
        copy = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0)
        receipt = await alice.send(BOB, "everywhere")
        assert {(await phone.receive(SOON)).text, (await desk.receive(SOON)).text} == {"everywhere"}
        await receipt.read(SOON)
        update = await asyncio.wait_for(copy, SOON)
        await news.aclose()

    assert update.news is News.COPY
    assert update.message is not None
    assert (update.message.text, update.message.sent_to) == ("everywhere", (UserAddress.parse(BOB),))
    assert set(receipt.devices) == {phone.address, desk.address}


async def test_a_device_that_was_enrolled_later_gets_what_is_written_later(
    summit: Enterprise, globe: Enterprise, bob: Device
) -> None:
    """A list of devices is asked for again when it is old: here it is old at once."""
    async with await people.person(summit, "alice", directory_age=0.0) as alice:
        await (await alice.send(BOB, "one")).delivered(SOON)
        async with await people.person(globe, "bob", "desk") as desk:
            await alice.send(BOB, "two")
            assert (await desk.receive(SOON)).text == "two"
            assert [(await bob.receive(SOON)).text for _ in range(2)] == ["one", "two"]


async def test_a_group_is_known_to_its_members_alone(alice: Device, bob: Device, summit: Enterprise) -> None:
    """The first message tells members of the group; answers go to all of them."""
    async with await people.person(summit, "carol") as carol:
        group = alice.create_group("Friday", [BOB, "carol@acme.example"])
        receipt = await alice.send(group, "Who is in?")
        first = await bob.receive(SOON)
        assert first.group is not None
        assert (first.group.name, first.group.id) == ("Friday", group.id)
        assert (await carol.receive(SOON)).group == group
        await receipt.read(SOON)
        await first.reply("Me.")
        assert (await carol.receive(SOON)).text == "Me."
        answer = await alice.receive(SOON)

    assert (answer.text, answer.group) == ("Me.", group)
    assert [message.text for message, _ in alice.history(group)] == ["Who is in?", "Me."]


async def test_a_group_of_one_is_refused(alice: Device) -> None:
    """A group needs somebody else."""
    with pytest.raises(NotPossible, match="2 to"):
        alice.create_group("me", [])


async def test_a_mail_arrives_with_ten_megabytes_of_attachments(
    alice: Device, bob: Device, summit: Enterprise, tmp_path: Path
) -> None:
    """Ten megabytes travel in parts and arrive as they were, for several recipients."""
    report = tmp_path / "report.bin"
    report.write_bytes(bytes(range(256)) * 20_000)
    picture = b"\x89PNG" + bytes(4_880_000)
    async with await people.person(summit, "carol") as carol:
        receipt = await alice.send_mail(
            [BOB, "carol@acme.example"],
            "Figures",
            "See the report.",
            attachments=[report, Attachment("p.png", picture)],
        )
        for reader in (bob, carol):
            mail = await reader.receive(SOON)
            assert (mail.subject, mail.text.strip()) == ("Figures", "See the report.")
            assert [(one.name, one.data) for one in mail.attachments] == [
                ("report.bin", report.read_bytes()),
                ("p.png", picture),
            ]
        await receipt.read(SOON)


async def test_a_mail_that_is_too_large_is_not_sent(alice: Device, bob: Device) -> None:
    """More than a mail may hold is refused before anything leaves."""
    with pytest.raises(ContentTooLarge):
        await alice.send_mail(BOB, "Too much", "", attachments=[bytes(20_000_000)])


async def test_a_message_that_is_taken_back_is_forgotten_by_both_sides(alice: Device, bob: Device) -> None:
    """After a retraction neither history holds the words, and a message that was not taken yet is never handed out."""
    receipt = await alice.send(BOB, "I resign!")
    await receipt.delivered(SOON)
    await (await alice.retract(receipt)).accepted(SOON)
    await (await alice.send(BOB, "Good morning.")).delivered(SOON)

    assert (await bob.receive(SOON)).text == "Good morning."
    for device, other in ((alice, BOB), (bob, "alice@acme.example")):
        assert [message.text for message, _ in device.history(other)] == ["", "Good morning."]


async def test_search_looks_through_every_conversation(alice: Device, bob: Device, summit: Enterprise) -> None:
    """Texts, subjects and names of attachments, newest first, whatever the case; not what was taken back."""
    async with await people.person(summit, "carol") as carol:
        await alice.send(BOB, "The heron is grey.")
        gone = await alice.send(BOB, "The heron has flown.")
        await alice.send_mail("carol@acme.example", "Birds", "See there.", attachments=[Attachment("HERON.txt", b"-")])
        await alice.send_mail("carol@acme.example", "On herons", "Nothing.")
        for _ in range(2):
            await carol.receive(SOON)
        await (await alice.retract(gone)).accepted(SOON)

        assert [each.subject or each.text for each in alice.search("Heron")] == [
            "On herons", "Birds", "The heron is grey.",
        ]  # fmt: skip
        assert [each.subject for each in carol.search("heron", limit=1)] == ["On herons"]
        assert bob.search("kingfisher") == []


async def test_somebody_elses_message_cannot_be_taken_back(alice: Device, bob: Device) -> None:
    """Only the user who sent a letter may retract it."""
    await alice.send(BOB, "mine")
    message = await bob.receive(SOON)
    with pytest.raises(NotPossible, match="this user has sent"):
        await bob.retract(message)


async def test_a_stranger_cannot_probe_with_what_nobody_sees(relay: Relay, summit: Enterprise, bob: Device) -> None:
    """Taking back a letter that never was is answered by nothing: a receipt would say that the device is there."""
    async with await people.person(summit, "eve") as eve:
        retraction = Retract(id=new_id(), sent_at=0, letter=new_id())
        receipt = await eve._send(
            Letter(retraction), [UserAddress.parse(BOB)], sealed=False, expires_in=None, timeout=SOON
        )
        await receipt.accepted(SOON)
        await (await eve.send(BOB, "Hello.")).delivered(SOON)  # this is answered, after whatever was before it

        assert receipt.stage is Stage.ACCEPTED


async def test_what_an_earlier_run_has_left_is_taken_up_before_anything_arrives(
    relay: Relay, summit: Enterprise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a receipt for what arrives would be in the store by then as well as in the outbox, and be taken up twice."""
    announce, load, found = Upkeep.announce, Outbox.load, []

    async def until_a_receipt_waits(self: Upkeep) -> None:
        await announce(self)
        for _ in range(10_000):
            if self._store.outbox(0, 1):
                break
            await asyncio.sleep(0)

    def looking(self: Outbox) -> None:
        found.extend(self._store.outbox(0, 16))
        load(self)

    dave = await people.person(summit, "dave")
    async with await people.person(summit, "erin") as erin:
        await (await erin.send("dave@acme.example", "You are away.")).accepted(SOON)
        monkeypatch.setattr(Upkeep, "announce", until_a_receipt_waits)
        monkeypatch.setattr(Outbox, "load", looking)
        async with dave:
            await dave.receive(SOON)

    assert found == []


async def test_an_expired_message_is_never_shown(relay: Relay) -> None:
    """The time is over when the sender said, wherever the message is by then."""
    clock = HandClock(SystemClock().now())
    founding = Enterprise.create("acme.example", people.address_of(relay), options=people.BRISK, clock=clock)
    async with founding as acme:
        alice, bob = await acme.enrol("alice", "laptop"), await acme.enrol("bob", "phone")
        async with alice:
            receipt = await alice.send("bob@acme.example", "burn this", expires_in=60)
            await receipt.accepted(SOON)
            assert [message.text for message, _ in alice.history("bob@acme.example")] == ["burn this"]
            clock.at += 61
            async with bob:
                with pytest.raises(TimedOut):
                    await bob.receive(0.2)
            assert alice.history("bob@acme.example") == []


async def test_nobody_by_that_name(alice: Device) -> None:
    """An unknown recipient is an error of its own, and nothing is sent."""
    with pytest.raises(UnknownRecipient):
        await alice.send("nobody@globex.example", "hello?")
    with pytest.raises(NotPossible, match="nobody to write to"):
        await alice.send("alice@acme.example", "note to self")


async def test_a_device_outside_of_its_context_says_so(summit: Enterprise) -> None:
    """A device that was not entered is closed."""
    device = await people.person(summit, "dave")
    with pytest.raises(Closed):
        await device.send(BOB, "too early")
    with pytest.raises(Closed):
        await device.receive()


async def test_no_relay_says_what_to_run(relay: Relay, door: socket.socket) -> None:
    """When nobody answers, the error names the command that helps."""
    nowhere = replace(people.address_of(relay), port=ports.number(door))
    device = await Enterprise.create("acme.example", nowhere).enrol("dave", "phone", announce=False)
    with pytest.raises(RelayUnreachable, match="blindrelay up"):
        async with device:
            pass


async def test_conversations_go_on_after_the_relay_was_restarted(tmp_path: Path, door: socket.socket) -> None:
    """Clients come back by themselves, resume, and send what they wrote meanwhile: nothing lost, doubled or out of order."""
    async with site.relay_in(tmp_path / "relay", door=door) as relay:
        address = people.address_of(relay)
        founding = Enterprise.create("acme.example", address, options=people.BRISK)
        async with founding as acme:
            alice, bob = await acme.enrol("alice", "laptop"), await acme.enrol("bob", "phone")
            async with alice, bob:
                receipts = [await alice.send("bob@acme.example", "0")]
                await receipts[0].delivered(SOON)
                await relay.stop()
                receipts += [await alice.send("bob@acme.example", str(number)) for number in range(1, 20)]
                async with site.relay_in(tmp_path / "relay", door=door):
                    texts = [(await bob.receive(SOON)).text for _ in range(20)]
                    for receipt in receipts:
                        await receipt.read(SOON)
                    with pytest.raises(TimedOut):
                        await bob.receive(0.05)
    assert texts == [str(number) for number in range(20)]


async def test_a_revoked_device_is_told_and_gets_no_more(alice: Device, globe: Enterprise) -> None:
    """Revocation ends the live session within a second, and senders learn that the recipient is gone."""
    async with await people.person(globe, "bob") as bob:
        await alice.send(BOB, "hello")
        await bob.receive(SOON)
        assert await globe.revoke("bob", "phone") == 1
        with pytest.raises(AdmissionRefused, match="revoked"):
            await bob.receive(SOON)
        with pytest.raises(AdmissionRefused):
            await bob.send("alice@acme.example", "still me")
    refused = await alice.send(BOB, "are you there?")
    with pytest.raises(Exception, match="does not take the message"):
        await refused.accepted(SOON)
    with pytest.raises(UnknownRecipient):
        await alice.send(BOB, "hello?")


async def test_two_processes_cannot_be_one_device(summit: Enterprise, relay: Relay, tmp_path: Path) -> None:
    """A device's key store is open once."""
    folder = tmp_path / "dave"
    await summit.issue("dave", "laptop", folder, "secret", cost=CHEAP)
    async with Device.open(folder, "secret", people.address_of(relay)):
        with pytest.raises(Exception, match=r"in use|another process"):
            Device.open(folder, "secret", people.address_of(relay))


async def test_sealed_needs_the_recipients_token(alice: Device, bob: Device) -> None:
    """Whoever never heard from somebody cannot write to them anonymously, and is told how to get there."""
    with pytest.raises(NoDeliveryToken, match="first message"):
        await alice.send(BOB, "who am I?", posture="sealed")


async def test_sealed_messages_leave_no_sender_at_the_relay(alice: Device, bob: Device) -> None:
    """After one exchange in the standard posture tokens are known; then the relay's record has no sender, and receipts work."""
    await alice.send(BOB, "introduce yourself")
    await (await bob.receive(SOON)).reply("Bob.")
    await alice.receive(SOON)

    receipt = await alice.send(BOB, "between us", posture="sealed")
    message = await bob.receive(SOON)
    await receipt.read(SOON)

    assert (message.text, message.sealed, str(message.sender)) == ("between us", True, "alice@acme.example")
    senders = [row["sender's account"] for row in (await bob.my_data()).records["TrafficRecord"]]
    assert None in senders
    assert set(senders) != {None}


async def copies_that_reached(device: Device, count: int) -> list[str]:
    """The texts of the next `count` copies of letters that another device of the same user has sent, in their order."""
    texts: list[str] = []
    news = device.updates()
    try:
        while len(texts) < count:
            update = await asyncio.wait_for(anext(news), SOON)
            if update.news is News.COPY and update.message is not None:
                texts.append(update.message.text)
    finally:
        await news.aclose()
    return texts


async def test_copies_of_sealed_messages_wait_until_they_tell_nothing(
    globe: Enterprise, summit: Enterprise, bob: Device
) -> None:
    """A copy for the sender's other device, next to an anonymous letter, would sign it. It leaves later, and never too late:
    a letter whose sender is known takes it along, in order."""
    long = people.BRISK.hygiene
    async with (
        await people.person(summit, "alice", "laptop", hygiene=replace(long, receipt=(3_600.0, 3_600.0))) as alice,
        await people.person(summit, "alice", "tablet") as tablet,
    ):
        arriving = asyncio.ensure_future(copies_that_reached(tablet, 3))
        await alice.send(BOB, "introduce yourself")
        await (await bob.receive(SOON)).reply("Bob.")
        await alice.receive(SOON)
        await (await alice.send(BOB, "between us", posture="sealed")).accepted(SOON)
        assert (await bob.receive(SOON)).text == "between us"
        assert len(alice._running.courier._copies) == 1
        await alice.send(BOB, "in the open")

        assert await asyncio.wait_for(arriving, SOON) == ["introduce yourself", "between us", "in the open"]


async def test_copies_that_wait_survive_a_restart(
    globe: Enterprise, summit: Enterprise, bob: Device, relay: Relay, tmp_path: Path
) -> None:
    """They are in the key store, and leave after the next start."""
    folder = tmp_path / "alice"
    await summit.issue("alice", "laptop", folder, "correct horse", cost=CHEAP)
    patient = replace(people.BRISK, hygiene=replace(people.BRISK.hygiene, receipt=(3_600.0, 3_600.0)))
    address = people.address_of(relay)
    async with await people.person(summit, "alice", "tablet") as tablet:
        arriving = asyncio.ensure_future(copies_that_reached(tablet, 2))
        async with Device.open(folder, "correct horse", address, options=patient) as alice:
            await alice.send(BOB, "introduce yourself")
            await (await bob.receive(SOON)).reply("Bob.")
            await alice.receive(SOON)
            await (await alice.send(BOB, "between us", posture="sealed")).accepted(SOON)
        assert not arriving.done()

        async with Device.open(folder, "correct horse", address, options=patient):
            assert await asyncio.wait_for(arriving, SOON) == ["introduce yourself", "between us"]


async def test_safety_numbers_agree(alice: Device, bob: Device) -> None:
    """Both sides see the same sixty digits, and remember that they compared them."""
    mine, theirs = await alice.safety_number(BOB), await bob.safety_number("alice@acme.example")
    assert mine == theirs
    assert sum(character.isdigit() for character in mine) == 60
    assert not alice.is_verified(BOB)
    alice.mark_verified(BOB)
    assert alice.is_verified(BOB)


async def test_a_cancelled_receive_takes_nothing(alice: Device, bob: Device) -> None:
    """Cancelling a wait leaves the message for the next one."""
    waiting = asyncio.create_task(bob.receive())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await alice.send(BOB, "for the next")
    assert (await bob.receive(SOON)).text == "for the next"


async def test_a_message_is_not_lost_to_a_look_up_that_was_refused_for_now(
    alice: Device, bob: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that is too busy to name the sender's root is asked again; the message is not acknowledged meanwhile."""
    ask, refused = Directory.pin_root, []

    async def busy_at_first(self: Directory, tenant: str, connection: Connection) -> None:
        if len(refused) < 2:  # her profile travels ahead of her message
            refused.append(tenant)
            raise RequestRefused(ErrorCode.RATE_LIMITED, "too many requests")
        await ask(self, tenant, connection)

    monkeypatch.setattr(Directory, "pin_root", busy_at_first)

    await alice.send(BOB, "still there?")

    assert (await bob.receive(SOON)).text == "still there?"
    assert refused == ["acme.example"] * 2


async def test_a_message_that_cannot_be_stored_is_fetched_again(
    alice: Device, bob: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profile, D11: the device breaks the connection off instead of acknowledging, comes back, and gets it again."""
    store, failures = Postroom.receive, []

    def full_at_first(self: Postroom, unsealed: Unsealed) -> Arrival | None:
        if len(failures) < 2 and unsealed.sender.owner == alice.user:
            failures.append(unsealed)
            raise StoreFailed("the disk is full")
        return store(self, unsealed)

    monkeypatch.setattr(Postroom, "receive", full_at_first)
    receipt = await alice.send(BOB, "patience")
    assert (await bob.receive(SOON)).text == "patience"
    await receipt.read(SOON)
    assert len(failures) == 2


async def test_a_message_that_comes_twice_is_handed_out_once(
    alice: Device, bob: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored, not acknowledged, connection lost: the relay sends it again, and the device knows its id."""
    honest, lost = Link.acknowledge, []

    def lose_first(self: Link, inbound: Inbound) -> None:
        if inbound.topic == topics.inbox(bob.address) and len(lost) < 2:
            lost.append(inbound.correlation)
        else:
            honest(self, inbound)

    monkeypatch.setattr(Link, "acknowledge", lose_first)
    await (await alice.send(BOB, "one")).delivered(SOON)
    bob._running.connection().break_off()
    await (await alice.send(BOB, "two")).delivered(SOON)

    assert [(await bob.receive(SOON)).text for _ in range(2)] == ["one", "two"]
    with pytest.raises(TimedOut):
        await bob.receive(0.1)
    assert len(lost) == 2


async def test_a_cancelled_send_leaves_nothing(alice: Device, bob: Device) -> None:
    """Cancelled while the recipient is looked up, nothing was sealed."""
    sending = asyncio.create_task(alice.send(BOB, "never mind"))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await alice.send(BOB, "this one")
    assert (await bob.receive(SOON)).text == "this one"
    assert [message.text for message, _ in alice.history(BOB)] == ["this one"]


async def test_receipts_outlive_the_process(summit: Enterprise, bob: Device, relay: Relay, tmp_path: Path) -> None:
    """How far a letter came is in the history, for whoever asks after a restart."""
    folder = tmp_path / "dave"
    await summit.issue("dave", "laptop", folder, "secret", cost=CHEAP)
    async with Device.open(folder, "secret", people.address_of(relay), options=people.BRISK) as dave:
        letter = (await (await dave.send(BOB, "remember")).delivered(SOON)).id
    async with Device.open(folder, "secret", people.address_of(relay), options=people.BRISK) as dave:
        receipt = dave.receipt(letter)
        assert receipt.stage is Stage.DELIVERED
        await bob.receive(SOON)
        await receipt.read(SOON)
        with pytest.raises(NotPossible):
            dave.receipt(b"0" * 16)


async def test_a_connection_that_is_taken_over_says_so(globe: Enterprise, bob: Device, relay: Relay) -> None:
    """Two programs with the same device do not fight: the earlier one is told that it is not connected any more."""
    twin = Device(bob._store, people.address_of(relay), options=people.BRISK)
    async with twin:
        with pytest.raises(AdmissionRefused) as caught:
            await bob.receive(SOON)
    assert caught.value.code == 0x8E


async def test_keys_are_looked_after(alice: Device, bob: Device, summit: Enterprise) -> None:
    """When strangers have used up half of the prekeys, the device leaves new ones without being asked."""
    connection = bob._running.connection()
    async with contextlib.AsyncExitStack() as stack:
        for number in range(26):
            stranger = await summit.enrol(f"stranger{number}", "phone", announce=False)
            await stack.enter_async_context(stranger)
            await stranger.send(BOB, "hello")
        for _ in range(26):
            await bob.receive(SOON)
        async with asyncio.timeout(SOON):
            while (await connection.call(COUNT_PREKEYS, Empty())).one_time <= 40:  # noqa: ASYNC110 - the relay's own count
                await asyncio.sleep(0.02)


async def test_what_could_not_be_sent_goes_out_the_next_time(tmp_path: Path, door: socket.socket) -> None:
    """Left without a relay, a device keeps what it wrote, and sends it once when it is entered again."""
    hasty = replace(people.BRISK, farewell=0.05)
    async with site.relay_in(tmp_path / "relay", door=door) as relay:
        address = people.address_of(relay)
        async with Enterprise.create("acme.example", address, options=hasty) as acme:
            alice, bob = await acme.enrol("alice", "laptop"), await acme.enrol("bob", "phone")
            async with alice:
                await (await alice.send("bob@acme.example", "one")).accepted(SOON)
                await relay.stop()
                await alice.send("bob@acme.example", "two")
                receipt = await alice.send("bob@acme.example", "three")
            async with site.relay_in(tmp_path / "relay", door=door), alice, bob:
                assert [(await bob.receive(SOON)).text for _ in range(3)] == ["one", "two", "three"]
                await receipt.read(SOON)
                with pytest.raises(TimedOut):
                    await bob.receive(0.05)


async def test_sealed_receipts_wait_each_for_itself(globe: Enterprise, alice: Device, bob: Device) -> None:
    """A letter that comes while a receipt for an earlier one waits is not acknowledged with it, right after it came."""
    courier = bob._running.courier
    courier._options = replace(bob.options, hygiene=replace(people.BRISK.hygiene, receipt=(3_600.0, 3_600.0)))
    courier._contacts.token = lambda _: bob._running.identity.token  # type: ignore[assignment,method-assign]
    courier.seal = lambda letter, *_, **__: sent.append(letter.content.letters) or []  # type: ignore[method-assign,assignment]
    sent: list[list[bytes]] = []
    loop = asyncio.get_running_loop()
    old, young = new_id(), new_id()

    courier.owe(Delivered, alice.address, old, sealed=True)
    (key,) = courier._due
    courier._due[key] = [replace(courier._due[key][0], since=loop.time() - 4_000)]
    courier.owe(Delivered, alice.address, young, sealed=True)
    courier._settle_ripe(key)

    assert sent == [[old]]
    assert key in courier._timers
    courier.settle_debts(True)
    assert sent == [[old], [young]]


async def test_sealed_receipts_for_two_people_do_not_leave_together(
    globe: Enterprise, alice: Device, bob: Device
) -> None:
    """Whoever is told at one moment would be seen to have written to the same person."""
    courier = bob._running.courier
    courier._contacts.token = lambda _: bob._running.identity.token  # type: ignore[assignment,method-assign]
    courier._options = replace(bob.options, hygiene=replace(people.BRISK.hygiene, receipt=(60.0, 1_800.0)))

    for sender in (alice.address, bob.address):
        courier.owe(Delivered, sender, new_id(), sealed=True)

    first, second = courier._timers.values()
    assert first is not second
    courier.stop()
    courier._due.clear()
    assert not courier._timers
