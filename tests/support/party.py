"""Devices with keys and without a connection, and a clock that is set by hand."""

import os
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.contacts import Contact, Contacts
from blindrelay.clients.content import Chat, Letter
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.postroom import Arrival, Postroom
from blindrelay.clients.records import OutboxEntry
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.rpc import DeviceEntry, Head, Included, UserEntry
from blindrelay.protocol.statements import Signed

#: Contacts do not look at the public log; what does is tested with a relay that has one.
NOWHERE = Included(index=0, path=[])
NO_HEAD = Head(checkpoint=b"", consistency=[])


@dataclass
class HandClock:
    """A clock that stands still until a test moves it."""

    at: float = 1_800_000_000.0

    def now(self) -> float:
        """Epoch seconds."""
        return self.at

    def monotonic(self) -> float:
        """The same number: nobody compares the two."""
        return self.at


@dataclass
class Party:
    """One device with all that belongs to it, and no connection."""

    store: KeyStore
    identity: OwnIdentity
    contacts: Contacts
    postroom: Postroom
    clock: HandClock
    one_time: list[Signed] = field(default_factory=list)
    fallback: Signed | None = None

    @property
    def address(self) -> DeviceAddress:
        """Which device this is."""
        return self.identity.address

    def entry(self, *, also: "tuple[Party, ...]" = ()) -> UserEntry:
        """What an honest directory says about this device's user."""
        devices = [
            DeviceEntry(
                device=party.address,
                certificate=party.identity.certificate.public_bytes(Encoding.DER),
                statement=party.identity.statement(),
                included=NOWHERE,
            )
            for party in (self, *also)
        ]
        root = self.identity.root.public_bytes(Encoding.DER)
        return UserEntry(user=self.address.owner, root=root, root_included=NOWHERE, devices=devices, head=NO_HEAD)

    def claim(self) -> Signed:
        """Hand out a prekey like the relay does: a one-time key while there are any, then the fallback key."""
        if self.fallback is None:
            published = self.identity.prekeys(48, self.clock, fallback=True)
            self.one_time, self.fallback = list(published.one_time), published.fallback
        assert self.fallback is not None
        return self.one_time.pop(0) if self.one_time else self.fallback

    def meet(self, other: "Party") -> Contact:
        """Look `other` up and start a session with them."""
        contact = self.contacts.accept(other.entry())
        for device in self.postroom.sessions_needed([other.address]):
            self.postroom.start_session(device, other.claim())
        return contact

    def write(self, other: "Party", text: str = "hi") -> OutboxEntry:
        """Seal a chat to one device."""
        (entry,) = self.send(other, Letter(chat(text)))
        return entry

    def send(self, other: "Party", letter: Letter, ttl: int = 86_400) -> list[OutboxEntry]:
        """Seal a letter to one device."""
        return self.postroom.seal(letter, [other.address], expires_at=int(self.clock.now()) + ttl)

    def read(self, entry: OutboxEntry) -> Arrival | None:
        """Receive an envelope, looking the sender's tenant up by means of the sender when that is needed."""
        unsealed = self.postroom.unseal(entry.message_id, entry.envelope)
        assert self.postroom.root_needed(unsealed) is None
        return self.postroom.receive(unsealed)

    def text(self, entry: OutboxEntry) -> str:
        """The text of a chat that arrives whole."""
        arrival = self.read(entry)
        assert arrival is not None
        assert isinstance(arrival.letter.content, Chat)
        return arrival.letter.content.text


def chat(text: str = "hi") -> Chat:
    """A chat with a random id."""
    return Chat(id=os.urandom(16), sent_at=1, text=text)
