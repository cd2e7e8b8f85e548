"""Whom to seal for: what is asked of a relay's directory, and when nothing is sealed at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients import (
    Device,
    Enterprise,
    HistoryRejected,
    IdentityRejected,
    News,
    RequestRefused,
    Stage,
    TimedOut,
)
from blindrelay.clients.enterprise.ca import Authority
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.rpc import (
    LOOK_UP_TENANT,
    LOOK_UP_USER,
    PROVE_HEAD,
    DeviceEntry,
    ErrorCode,
    LookUpUser,
    Method,
    TenantEntry,
    UserEntry,
)
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.relay import errors
from blindrelay.relay.identity import DeviceIdentity, SealedSender
from blindrelay.relay.server import Relay
from support import people
from support.people import SOON

BOB = "bob@globex.example"

Handler = Callable[[Any, Any], Awaitable[Any]]


@pytest.fixture
async def globex(relay: Relay) -> AsyncIterator[Enterprise]:
    """globex.example."""
    async with people.enterprise(relay, "globex.example") as enterprise:
        yield enterprise


@pytest.fixture
async def bob(globex: Enterprise) -> AsyncIterator[Device]:
    """bob@globex.example."""
    async with await people.person(globex, "bob") as device:
        yield device


@pytest.fixture
async def acme(relay: Relay) -> AsyncIterator[Enterprise]:
    """acme.example."""
    async with people.enterprise(relay, "acme.example") as enterprise:
        yield enterprise


@pytest.fixture
async def alice(acme: Enterprise) -> AsyncIterator[Device]:
    """alice@acme.example, who asks for a list of devices once in a minute."""
    async with await people.person(acme, "alice") as device:
        yield device


def replace(relay: Relay, method: Method[Any, Any], wrap: Callable[[Handler], Handler]) -> None:
    """Have the relay answer a method otherwise."""
    handlers = relay.exchange.services.rpc._handlers  # type: ignore[attr-defined]
    handlers[method.name] = wrap(handlers[method.name])


def another_history(relay: Relay, more: int) -> bytes:
    """What the relay's log has shown to somebody else: `more` entries than it has, signed with its key."""
    log = relay.directory_log.log
    head = log.published.checkpoint
    return Checkpoint(head.origin, head.size + more, bytes(32)).sign(log.settings.keys[0]).encode()


async def nothing_came(bob: Device) -> bool:
    """Whether bob's device got nothing at all."""
    try:
        await bob.receive(0.1)
    except TimedOut:
        return True
    return False


async def met(alice: Device, bob: Device) -> None:
    """They have written to each other, and know each other's devices."""
    receipt = await alice.send(BOB, "hello")
    await (await bob.receive(SOON)).reply("hello")
    await alice.receive(SOON)
    await receipt.read(SOON)


async def test_an_alarm_stops_letters_to_those_who_need_not_be_looked_up(
    relay: Relay, alice: Device, bob: Device
) -> None:
    """Whose devices were looked up a moment ago is not written to either, once there is proof against the relay."""
    await met(alice, bob)
    alice._running.heads.hear(another_history(relay, 0), str(bob.address))

    with pytest.raises(HistoryRejected) as caught:
        await alice.send(BOB, "and now?")

    assert caught.value.check == "split-view"
    assert await nothing_came(bob)


async def test_an_alarm_during_look_ups_stops_the_letter(
    relay: Relay, alice: Device, bob: Device, globex: Enterprise
) -> None:
    """A letter to two people: while the second one is looked up, the first one's list is found to be worth nothing."""
    await met(alice, bob)
    await people.person(globex, "carol")

    def alarming(honest: Handler) -> Handler:
        async def look_up(identity: Any, request: Any) -> Any:
            answer = await honest(identity, request)
            if request.user.user == "carol":
                alice._running.heads.hear(another_history(relay, 0), str(bob.address))
            return answer

        return look_up

    replace(relay, LOOK_UP_USER, alarming)
    with pytest.raises(HistoryRejected):
        await alice.send(alice.create_group("two", [BOB, "carol@globex.example"]), "and now?")
    assert await nothing_came(bob)


async def test_what_was_heard_is_compared_before_somebody_is_looked_up(
    relay: Relay, alice: Device, bob: Device
) -> None:
    """A relay that gives no proof gets no letter."""
    await met(alice, bob)

    def refusing(_: Handler) -> Handler:
        async def prove(*_: Any) -> Any:
            raise errors.RequestRefused(ErrorCode.NOT_AUTHORISED, "I will not say")

        return prove

    replace(relay, PROVE_HEAD, refusing)
    alice._running.heads.hear(another_history(relay, 3), str(bob.address))
    alice._running.directory.forget(UserAddress.parse(BOB))

    with pytest.raises(RequestRefused, match="I will not say"):
        await alice.send(BOB, "and now?")
    assert await nothing_came(bob)


async def test_nothing_of_an_entry_with_a_stranger_is_kept(
    relay: Relay, alice: Device, bob: Device, globex: Enterprise
) -> None:
    """A device that is in no log is not written to because another one beside it was rejected first."""
    await met(alice, bob)
    ghost = await _unlogged(globex, "tablet")
    broken = ghost.model_copy(update={"device": DeviceAddress("globex.example", "bob", "watch"), "certificate": b"x"})

    def adding(honest: Handler) -> Handler:
        async def look_up(identity: Any, request: LookUpUser) -> UserEntry:
            entry: UserEntry = await honest(identity, request)
            if str(request.user) != BOB:
                return entry
            return entry.model_copy(
                update={
                    "devices": [
                        *entry.devices,
                        ghost.model_copy(update={"included": entry.devices[0].included}),
                        broken.model_copy(update={"included": entry.devices[0].included}),
                    ]
                }
            )

        return look_up

    replace(relay, LOOK_UP_USER, adding)
    with pytest.raises(IdentityRejected) as caught:
        await alice.look_up(BOB)
    assert caught.value.check == "certificate"

    receipt = await alice.send(BOB, "to those that I know")

    assert receipt.devices == {bob.address: receipt.devices[bob.address]}
    (contact,) = [each for each in alice.contacts() if str(each.user) == BOB]
    assert [device.address for device in contact.devices] == [bob.address]


async def test_the_root_of_whoever_writes_first_is_looked_for_in_the_log(
    relay: Relay, alice: Device, bob: Device
) -> None:
    """A relay that gives another root for a stranger's enterprise gets nobody to believe in it."""
    other = Authority.create("acme.example", SystemClock()).root.public_bytes(Encoding.DER)

    def swapping(honest: Handler) -> Handler:
        async def look_up(identity: Any, request: Any) -> TenantEntry:
            entry: TenantEntry = await honest(identity, request)
            return entry.model_copy(update={"root": other})

        return look_up

    replace(relay, LOOK_UP_TENANT, swapping)
    news = asyncio.ensure_future(anext(bob.updates()))
    await asyncio.sleep(0)
    await alice.send(BOB, "you do not know me yet")

    update = await asyncio.wait_for(news, SOON)

    assert update.news is News.UNREADABLE
    assert "'inclusion'" in update.reason
    assert bob._running.contacts.root("acme.example") is None


async def _unlogged(enterprise: Enterprise, name: str) -> DeviceEntry:
    device = await enterprise.enrol("bob", name, announce=False)
    identity = device._running.identity
    return DeviceEntry.model_construct(
        device=device.address,
        certificate=identity.certificate.public_bytes(Encoding.DER),
        statement=identity.statement(),
    )


async def test_an_anonymous_look_up_does_not_say_what_was_seen(
    relay: Relay, acme: Enterprise, alice: Device, bob: Device
) -> None:
    """Sizes of checkpoints would tell connections of one device from those of another."""
    asked: list[tuple[type, int]] = []

    def listening(honest: Handler) -> Handler:
        async def look_up(identity: Any, request: LookUpUser) -> UserEntry:
            asked.append((type(identity), request.seen))
            answer: UserEntry = await honest(identity, request)
            return answer

        return look_up

    replace(relay, LOOK_UP_USER, listening)
    await met(alice, bob)
    alice._running.directory.forget(UserAddress.parse(BOB))
    receipt = await alice.send(BOB, "who am I?", posture="sealed")
    await bob.receive(SOON)
    assert (await receipt.read(SOON)).stage is Stage.READ

    assert {seen for kind, seen in asked if kind is SealedSender} == {0}
    assert {seen > 0 for kind, seen in asked if kind is DeviceIdentity} == {False, True}


async def test_an_anonymous_letter_asks_nothing_about_its_sender(
    relay: Relay, acme: Enterprise, alice: Device, bob: Device
) -> None:
    """Whoever asks about a user in the moment in which an anonymous letter leaves is the one who writes it."""
    await met(alice, bob)
    asked: list[UserAddress] = []

    def listening(honest: Handler) -> Handler:
        async def look_up(identity: Any, request: LookUpUser) -> UserEntry:
            asked.append(request.user)
            answer: UserEntry = await honest(identity, request)
            return answer

        return look_up

    replace(relay, LOOK_UP_USER, listening)
    for user in (alice.user, UserAddress.parse(BOB)):
        alice._running.directory.forget(user)
    receipt = await alice.send(BOB, "who am I?", posture="sealed")
    assert (await bob.receive(SOON)).text == "who am I?"
    await receipt.accepted(SOON)

    assert asked == [UserAddress.parse(BOB)]
    identities = [peer.identity for peer in relay.exchange.peers if isinstance(peer.identity, SealedSender)]
    assert {identity.recipient for identity in identities} <= {UserAddress.parse(BOB)}
