"""The whole way of a letter: out into the outbox, in from an envelope. The connection is somebody else's.

Out::

    for device in postroom.sessions_needed(devices):
        postroom.start_session(device, <a prekey claimed from the relay>)
    with store.transaction():
        entries = postroom.seal(letter, devices, expires_at=...)      # ... and the history, in the same transaction
    # publish them in order of their sequence; on PUBACK store.dequeue(entry.sequence)

In::

    unsealed = postroom.unseal(message_id, payload)                   # changes nothing
    if tenant := postroom.root_needed(unsealed):
        contacts.pin_root(tenant, <the root looked up at the relay>)
    with store.transaction():                                         # a whole batch in one, if you like
        arrival = postroom.receive(unsealed)                          # ... and the history, in the same transaction
    # PUBACK
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from blindrelay.clients import content, envelope, parts
from blindrelay.clients.contacts import ContactDevice, Contacts
from blindrelay.clients.content import Letter
from blindrelay.clients.envelope import Frame
from blindrelay.clients.errors import ContentRejected, Expired, IdentityRejected, Unreadable
from blindrelay.clients.heads import Heads
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import PROCESSED_FOR, KeyStore, Space
from blindrelay.clients.ratchet import PREKEY
from blindrelay.clients.records import OutboxEntry
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.sizes import MESSAGE_ID_LENGTH
from blindrelay.protocol.statements import Signed


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An envelope whose outer seal is off. Who `sender` is has not been proved yet."""

    message_id: bytes
    frame: Frame

    @property
    def sender(self) -> DeviceAddress:
        """Who it claims to be from."""
        return self.frame.sender


@dataclass(frozen=True, slots=True)
class Arrival:
    """A complete letter from a device that proved itself; `encoded` is the letter's bytes, for the history."""

    sender: ContactDevice
    letter: Letter = field(repr=False)
    encoded: bytes = field(repr=False)


class Postroom:
    """Wraps what goes out and opens what comes in, for one device."""

    def __init__(self, store: KeyStore, identity: OwnIdentity, contacts: Contacts, heads: Heads, clock: Clock) -> None:
        self._store = store
        self._heads = heads
        self._identity = identity
        self._ratchet = identity.ratchet
        self._contacts = contacts
        self._clock = clock
        self._reassembly = parts.Reassembly(store)

    # ---- out

    def sessions_needed(self, devices: Iterable[DeviceAddress]) -> list[DeviceAddress]:
        """Those of `devices` to whom a session must be started before `seal`.

        Raises:
            IdentityRejected: one of them is not known, or not to be believed any more.
        """
        known = (self._contacts.current_device(address) for address in devices)
        return [each.address for each in known if not self._ratchet.has_session(each.address, each.identity_key)]

    def start_session(self, device: DeviceAddress, prekey: Signed) -> None:
        """Start a session with a prekey that the relay handed out.

        Raises:
            IdentityRejected: it is not a prekey of that device, or not a usable one.
        """
        key = self._contacts.check_prekey(device, prekey)
        self._ratchet.start_session(device, self._contacts.current_device(device).identity_key, key)

    def seal(
        self, letter: Letter, devices: Iterable[DeviceAddress], *, expires_at: int, anonymous: bool = False
    ) -> list[OutboxEntry]:
        """Encrypt `letter` for each device into the outbox, in one transaction, and return the entries in order.

        A letter of ten megabytes makes as many megabytes of entries per device: seal such a one device by device.

        Raises:
            ContentTooLarge: the letter.
            IdentityRejected: a device. Nothing was sealed for the others either.
            RatchetRejected: there is no session with one of the devices.
        """
        encoded = content.encode(replace(letter, seen=self._heads.gossip))
        with self._store.transaction():
            return [
                self._store.enqueue(self._seal_part(part, device, letter.content.id, expires_at, anonymous))
                for device in map(self._contacts.current_device, devices)
                for part in parts.split(encoded, expires_at)
            ]

    def _seal_part(
        self,
        part: bytes,
        device: ContactDevice,
        content_id: bytes,
        expires_at: int,
        anonymous: bool,
    ) -> OutboxEntry:
        message = self._ratchet.encrypt(device.address, device.identity_key, part)
        # Until the other side has answered it may have missed everything so far: each of these messages can be the first.
        introduction = self._identity.introduction if message.type == PREKEY else None
        frame = Frame(self._identity.address, message, introduction)
        message_id = os.urandom(MESSAGE_ID_LENGTH)
        sealed = envelope.seal(frame, device.address, message_id, device.sealing_key)
        return OutboxEntry(message_id, device.address, content_id, expires_at, anonymous, sealed)

    # ---- in

    def unseal(self, message_id: bytes, payload: bytes) -> Unsealed:
        """Take the outer seal off; raise `EnvelopeRejected`. Nothing changes, nobody is proved yet."""
        frame = envelope.unseal(payload, self._identity.address, message_id, self._identity.sealing_keys)
        return Unsealed(message_id, frame)

    def root_needed(self, unsealed: Unsealed) -> str | None:
        """The tenant whose root must be pinned before `receive`, or None.

        The root comes from the relay's directory, never from the sender: else the first who writes to us could choose it.
        """
        tenant = unsealed.sender.tenant
        return tenant if unsealed.frame.introduction is not None and self._contacts.root(tenant) is None else None

    def receive(self, unsealed: Unsealed) -> Arrival | None:
        """Prove the sender, decrypt, put parts together; None for a duplicate, or while parts are missing.

        Whatever the outcome, the message id is remembered in the same transaction: acknowledge the envelope. Catch what
        is raised *inside* a transaction of your own, for it to be kept.

        Raises:
            Unreadable: it does not decrypt, or what it says is malformed (that is kept in `Space.UNREADABLE`).
            IdentityRejected: the sender did not prove themselves.
            Expired: its time is over.
        """
        with self._store.transaction():
            if self._store.was_processed(unsealed.message_id):
                return None
            self._store.mark_processed(unsealed.message_id, self._clock.now())
            try:
                with self._store.transaction():
                    sender, encoded = self._decrypt(unsealed.frame)
            except (Unreadable, IdentityRejected, Expired) as error:
                return_or_raise: Arrival | Exception | None = error
            else:
                return_or_raise = None if encoded is None else self._read(unsealed, sender, encoded)
        if isinstance(return_or_raise, Exception):
            raise return_or_raise
        return return_or_raise

    def _decrypt(self, frame: Frame) -> tuple[ContactDevice, bytes | None]:
        if frame.introduction is not None:
            self._contacts.introduce(frame.sender, frame.introduction)
        sender = self._contacts.current_device(frame.sender)
        part = parts.parse(self._ratchet.decrypt(sender.address, sender.identity_key, frame.message))
        now = self._clock.now()
        if part.expires_at < now:
            raise Expired(f"a message of {sender.address} arrived after its time")
        if part.expires_at > now + PROCESSED_FOR:
            # Its id could be forgotten while the relay can still deliver it again.
            raise ContentRejected(f"a message of {sender.address} expires later than any message may")
        return sender, self._reassembly.add(sender.address, part, now)

    def _read(self, unsealed: Unsealed, sender: ContactDevice, encoded: bytes) -> Arrival | ContentRejected:
        try:
            letter = content.decode(encoded)
            self._heads.hear(letter.seen, str(sender.address))
            return Arrival(sender, letter, encoded)
        except ContentRejected as error:
            # A later version may understand it: what arrived is not thrown away.
            name = str(sender.address).encode()
            self._store.put(Space.UNREADABLE, unsealed.message_id.hex(), bytes([len(name)]) + name + encoded)
            return error
