"""Somebody who has the private keys of a device: of one that was stolen, or of one that was made up."""

from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.contacts import Contacts
from blindrelay.clients.content import Chat
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.ca import Authority
from blindrelay.clients.errors import ClientError, Unreadable
from blindrelay.clients.heads import Heads
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.postroom import Postroom
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import DeviceEntry, Included
from blindrelay.protocol.statements import DeviceStatement, Signed
from blindrelay.protocol.transparency.directory import device_stated


class Thief:
    """Reads with the code that the device itself would read with. `store` has its keys."""

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.identity = OwnIdentity.load(store)
        self._contacts = Contacts(store, clock)
        self._postroom = Postroom(store, self.identity, self._contacts, Heads(store, clock), clock)
        self._prekeys: list[Signed] = []

    @classmethod
    def of_new_device(cls, address: DeviceAddress, authority: Authority, clock: Clock) -> Self:
        """Of a device that exists nowhere: its keys are the attacker's, and `authority` has certified it."""
        store = KeyStore.in_memory()
        key = ec.generate_private_key(ec.SECP256R1())
        OwnIdentity.create(
            store,
            key=key,
            certificate=authority.issue_device(address, key.public_key()),
            root=authority.root,
            token=authority.delivery_token(address.owner),
            clock=clock,
        )
        return cls(store, clock)

    @classmethod
    def of_stolen_device(cls, device: Device, clock: Clock) -> Self:
        """Of a device that was taken, unlocked."""
        return cls(device._store, clock)

    @property
    def address(self) -> DeviceAddress:
        """Which device it is, or claims to be."""
        return self.identity.address

    @property
    def certificate(self) -> bytes:
        """Its certificate (DER)."""
        return self.identity.certificate.public_bytes(Encoding.DER)

    @property
    def logged(self) -> bytes:
        """The entry that the log has of it, if it has one."""
        signed, root = self.identity.statement(), self.identity.root.public_bytes(Encoding.DER)
        return device_stated(root, self.certificate, DeviceStatement.model_validate_json(signed.body), signed).encode()

    def entry(self, included: Included) -> DeviceEntry:
        """What a directory says about the device, with a proof of somebody's choice."""
        statement = self.identity.statement()
        return DeviceEntry(device=self.address, certificate=self.certificate, statement=statement, included=included)

    def prekey(self) -> Signed:
        """One more one-time prekey of the device."""
        if not self._prekeys:
            self._prekeys = self.identity.prekeys(40, self._clock, fallback=False).one_time
        return self._prekeys.pop()

    def read(self, message_id: bytes, payload: bytes, sender_root: bytes) -> str | None:
        """What can be read of an envelope: the words; for one of which the outer seal comes off alone, who has sent it."""
        try:
            unsealed = self._postroom.unseal(message_id, payload)
        except Unreadable:
            return None
        try:
            if self._contacts.root(unsealed.sender.tenant) is None:
                self._contacts.pin_root(unsealed.sender.tenant, sender_root)
            arrival = self._postroom.receive(unsealed)
        except ClientError:
            arrival = None
        if arrival is None or not isinstance(arrival.letter.content, Chat):
            return f"(the outer seal alone: it is from {unsealed.sender})"
        return arrival.letter.content.text
