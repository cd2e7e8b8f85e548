"""SIG: the whole path of a letter, out and in. What C2 calls.

Out:  missing = postroom.sessions_needed(devices)      -> claim prekeys for these over rpc, then
      postroom.start_session(device, signed_prekey)    -> for each claimed one
      with store.transaction(): entries = postroom.seal(letter, devices, expires_at=..., anonymous=...); history ...
      publish entries in order of sequence; on PUBACK store.dequeue(entry.sequence)

In:   opened = postroom.unseal(message_id, payload)    (stateless: HPKE + frame; raises EnvelopeRejected)
      if postroom.root_needed(opened): contacts.pin_root(tenant, looked up root)
      with store.transaction():
          if store.was_processed(message_id): duplicate
          arrival = postroom.receive(opened)           (ratchet + parts + content + mark_processed)
      PUBACK after the transaction
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from blindrelay.clients.contacts import ContactDevice, Contacts
from blindrelay.clients.content import Letter
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.records import OutboxEntry
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.statements import Signed


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An envelope whose outside is off. The claimed sender is not proved yet."""

    message_id: bytes
    sender: DeviceAddress


@dataclass(frozen=True, slots=True)
class Arrival:
    """A letter that is complete, from a sender who is proved."""

    sender: ContactDevice
    letter: Letter
    encoded: bytes = field(repr=False)  # the letter's bytes, for the history


class Postroom:
    """Wraps what goes out and opens what comes in."""

    def __init__(self, store: KeyStore, identity: OwnIdentity, contacts: Contacts, clock: Clock) -> None:
        raise NotImplementedError

    def sessions_needed(self, devices: Iterable[DeviceAddress]) -> list[DeviceAddress]:
        """Those to whom a first prekey must be claimed."""
        raise NotImplementedError

    def start_session(self, device: DeviceAddress, prekey: Signed) -> None:
        """Raises IdentityRejected('prekey' | 'unknown')."""

    def seal(
        self, letter: Letter, devices: Iterable[DeviceAddress], *, expires_at: int, anonymous: bool = False
    ) -> list[OutboxEntry]:
        """Encrypt `letter` for each device and put the envelopes into the outbox, in one transaction."""
        raise NotImplementedError

    def unseal(self, message_id: bytes, payload: bytes) -> Unsealed:
        """Raises EnvelopeRejected. Changes nothing."""
        raise NotImplementedError

    def root_needed(self, unsealed: Unsealed) -> str | None:
        """The tenant whose root must be looked up and pinned before `receive`, or None."""
        raise NotImplementedError

    def receive(self, unsealed: Unsealed) -> Arrival | None:
        """Decrypt; None while parts are missing, or for a duplicate. In every case the id is marked processed, also
        when it raises Unreadable, IdentityRejected or Expired: such an envelope is acknowledged and never comes to anything.
        An error inside an outer transaction does not undo it."""
        raise NotImplementedError
