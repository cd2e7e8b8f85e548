"""A relay that lies in its directory: clients notice, say which check failed, and send nothing."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients import Device, Enterprise, IdentityRejected, Stage, TimedOut, UnknownRecipient
from blindrelay.clients.connection import Connection
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.rpc import CLAIM_PREKEYS, LOOK_UP_USER, ClaimedPrekeys, DeviceEntry, Method, UserEntry
from blindrelay.relay.server import Relay
from support import people
from support.altered import flipped
from support.party import NOWHERE
from support.people import SOON

BOB = "bob@globex.example"

Lie = Callable[[Any], Any]


@pytest.fixture
async def globe(relay: Relay) -> AsyncIterator[Enterprise]:
    """globex.example."""
    async with people.enterprise(relay, "globex.example") as enterprise:
        yield enterprise


@pytest.fixture
async def alice(relay: Relay) -> AsyncIterator[Device]:
    """alice@acme.example, who asks for lists of devices each time."""
    async with (
        people.enterprise(relay, "acme.example") as acme,
        await people.person(acme, "alice", directory_age=0.0) as device,
    ):
        yield device


@pytest.fixture
async def bob(globe: Enterprise) -> AsyncIterator[Device]:
    """bob@globex.example."""
    async with await people.person(globe, "bob") as device:
        yield device


@pytest.fixture
def lie(monkeypatch: pytest.MonkeyPatch) -> Callable[[Method[Any, Any], Lie], None]:
    """Makes the relay answer a method otherwise."""

    def tell(about: Method[Any, Any], change: Lie) -> None:
        honest = Connection.call

        async def call(self: Connection, method: Method[Any, Any], request: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
            answer = await honest(self, method, request, timeout)
            return change(answer) if method is about else answer

        monkeypatch.setattr(Connection, "call", call)

    return tell


Tell = Callable[[Method[Any, Any], Lie], None]


async def nothing_came(bob: Device) -> bool:
    """Whether bob's device got nothing at all."""
    try:
        await bob.receive(0.1)
    except TimedOut:
        return True
    return False


def about_bob(change: Callable[[UserEntry], UserEntry]) -> Lie:
    """A lie about bob alone."""
    return lambda entry: change(entry) if entry.user == UserAddress.parse(BOB) else entry


async def test_a_ghost_device_is_not_written_to(alice: Device, bob: Device, relay: Relay, lie: Tell) -> None:
    """A device that another CA vouches for is found out by its chain, and bob's own devices get nothing either."""
    authority = Enterprise.create("globex.example", people.address_of(relay)).authority
    ghost = await _entry_of_a_stranger(relay, authority)
    lie(LOOK_UP_USER, about_bob(lambda entry: entry.model_copy(update={"devices": [*entry.devices, ghost]})))

    with pytest.raises(IdentityRejected) as caught:
        await alice.send(BOB, "only for you")

    assert caught.value.check == "chain"
    assert await nothing_came(bob)


async def _entry_of_a_stranger(relay: Relay, authority: Any) -> DeviceEntry:
    rogue = Enterprise(authority, people.address_of(relay), options=people.BRISK)
    device = await rogue.enrol("bob", "tablet", announce=False)
    identity = device._running.identity
    entry = DeviceEntry(
        device=DeviceAddress("globex.example", "bob", "tablet"),
        certificate=identity.certificate.public_bytes(Encoding.DER),
        statement=identity.statement(),
        included=NOWHERE,
    )
    device.close()
    return entry


async def test_a_root_that_changes_is_not_trusted(alice: Device, bob: Device, relay: Relay, lie: Tell) -> None:
    """The root of a tenant is pinned when it is first met."""
    await alice.send(BOB, "hello")
    await bob.receive(SOON)
    other = Enterprise.create("globex.example", people.address_of(relay)).authority.root.public_bytes(Encoding.DER)
    lie(LOOK_UP_USER, about_bob(lambda entry: entry.model_copy(update={"root": other})))

    with pytest.raises(IdentityRejected) as caught:
        await alice.send(BOB, "and again")

    assert caught.value.check == "root-changed"
    assert await nothing_came(bob)


async def test_another_users_entry_is_not_taken_for_the_right_one(alice: Device, bob: Device, lie: Tell) -> None:
    """An answer about somebody else than was asked about is refused."""
    mallory = UserAddress("globex.example", "mallory")
    lie(LOOK_UP_USER, about_bob(lambda entry: entry.model_copy(update={"user": mallory})))
    with pytest.raises(IdentityRejected) as caught:
        await alice.send(BOB, "hello")
    assert caught.value.check == "directory"


async def test_a_tampered_statement_is_found_out(alice: Device, bob: Device, lie: Tell) -> None:
    """A statement whose bytes were changed does not verify with the certificate's key."""

    def tamper(entry: UserEntry) -> UserEntry:
        device = entry.devices[0]
        body = device.statement.body.replace(b'"sequence":', b'"sequence": ')
        forged = device.model_copy(update={"statement": device.statement.model_copy(update={"body": body})})
        return entry.model_copy(update={"devices": [forged]})

    lie(LOOK_UP_USER, about_bob(tamper))
    with pytest.raises(IdentityRejected) as caught:
        await alice.send(BOB, "hello")
    assert caught.value.check == "device-statement"
    assert await nothing_came(bob)


async def test_a_prekey_of_the_relays_own_making_is_found_out(alice: Device, bob: Device, lie: Tell) -> None:
    """A prekey that the device did not sign starts no session."""

    def swap(claimed: ClaimedPrekeys) -> ClaimedPrekeys:
        forged = {
            name: signed.model_copy(update={"signature": flipped(signed.signature)})
            for name, signed in claimed.prekeys.items()
        }
        return ClaimedPrekeys(prekeys=forged)

    lie(CLAIM_PREKEYS, swap)
    with pytest.raises(IdentityRejected) as caught:
        await alice.send(BOB, "hello")
    assert caught.value.check == "prekey"
    assert await nothing_came(bob)


async def test_withheld_prekeys_are_withheld_service_and_nothing_worse(alice: Device, bob: Device, lie: Tell) -> None:
    """A relay can refuse to help; then nothing is sent, and the error says so."""
    lie(CLAIM_PREKEYS, lambda _: ClaimedPrekeys(prekeys={}))
    with pytest.raises(UnknownRecipient, match="prekey"):
        await alice.send(BOB, "hello")


async def test_the_truth_still_works(alice: Device, bob: Device, lie: Tell) -> None:
    """The lies above are found out by what they change: an unchanged answer goes through."""
    lie(LOOK_UP_USER, about_bob(lambda entry: entry))
    receipt = await alice.send(BOB, "hello")
    await bob.receive(SOON)
    assert (await receipt.read(SOON)).stage is Stage.READ
