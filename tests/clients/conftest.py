"""What the tests of the client's keys share: two enterprises and devices without a relay."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.contacts import Contacts
from blindrelay.clients.enterprise.ca import Authority
from blindrelay.clients.heads import Heads
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.postroom import Postroom
from blindrelay.clients.vault import CHEAP
from blindrelay.protocol.address import DeviceAddress, UserAddress
from support.party import HandClock, Party


@pytest.fixture
def clock() -> HandClock:
    """A clock that is set by hand."""
    return HandClock()


@pytest.fixture
def authorities(clock: HandClock) -> dict[str, Authority]:
    """The CAs of two enterprises."""
    return {tenant: Authority.create(tenant, clock) for tenant in ("acme.example", "globex.example")}


Enrol = Callable[..., Party]


@pytest.fixture
def enrol(clock: HandClock, authorities: dict[str, Authority]) -> Iterator[Enrol]:
    """A function that enrols `tenant/user/device`, in memory or in a file."""
    stores: list[KeyStore] = []

    def do(address: str, *, archive: bool = False, path: Path | None = None) -> Party:
        device = DeviceAddress.parse(address)
        authority = authorities[device.tenant]
        store = KeyStore.in_memory() if path is None else KeyStore.create(path, "secret", CHEAP)
        stores.append(store)
        key = ec.generate_private_key(ec.SECP256R1())
        identity = OwnIdentity.create(
            store,
            key=key,
            certificate=authority.issue_device(device, key.public_key(), archive=archive),
            root=authority.root,
            token=authority.delivery_token(UserAddress(device.tenant, device.user)),
            clock=clock,
        )
        contacts = Contacts(store, clock)
        return Party(store, identity, contacts, Postroom(store, identity, contacts, Heads(store, clock), clock), clock)

    yield do
    for store in stores:
        store.close()


@pytest.fixture
def alice(enrol: Enrol) -> Party:
    """acme.example/alice/laptop."""
    return enrol("acme.example/alice/laptop")


@pytest.fixture
def bob(enrol: Enrol) -> Party:
    """globex.example/bob/phone, who has pinned alice's root already."""
    return enrol("globex.example/bob/phone")


@pytest.fixture
def met(alice: Party, bob: Party) -> tuple[Party, Party]:
    """Alice and bob; alice has looked bob up and can write to him, bob has pinned her enterprise's root."""
    alice.meet(bob)
    bob.contacts.pin_root("acme.example", alice.identity.root.public_bytes(Encoding.DER))
    return alice, bob
