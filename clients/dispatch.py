"""From content and people to sealed envelopes in the outbox."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from blindrelay.clients.content import Chat, Letter, Mail, Retract, encode
from blindrelay.clients.courier import Courier
from blindrelay.clients.desk import Desk
from blindrelay.clients.directory import Directory
from blindrelay.clients.errors import NotPossible, TimedOut
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.receipts import Receipt, Receipts
from blindrelay.clients.records import OutboxEntry
from blindrelay.clients.rpc import Caller
from blindrelay.protocol.address import DeviceAddress, UserAddress

# Sealing does not wait. A letter above this is sealed device by device, with a turn for others in between. Bytes.
SEALED_AT_ONCE: Final = 1_048_576

#: Which connection to ask by about a user, when writing anonymously or not.
CallerOf = Callable[[UserAddress, bool], Caller]


class Dispatch:
    """See the module."""

    def __init__(
        self,
        own: DeviceAddress,
        store: KeyStore,
        directory: Directory,
        courier: Courier,
        desk: Desk,
        receipts: Receipts,
        caller_of: CallerOf,
    ) -> None:
        self._own = own
        self._store = store
        self._directory = directory
        self._courier = courier
        self._desk = desk
        self._receipts = receipts
        self._caller_of = caller_of

    async def send(
        self,
        letter: Letter,
        users: Iterable[UserAddress],
        *,
        anonymous: bool,
        expires_at: int,
        timeout: float,
    ) -> Receipt:
        """Seal `letter` for all devices of `users`, and a copy for our own other devices.

        It is in the key store when this returns, and goes out as soon as the relay lets it. A cancel before that leaves
        nothing; of a letter above `SEALED_AT_ONCE`, the devices that it was sealed for so far.

        Raises:
            NotPossible: there is nobody to send it to.
            TimedOut: the relay did not tell in `timeout` seconds what must be known about the recipients. Nothing was sent.
            UnknownRecipient, IdentityRejected, NoDeliveryToken, ContentTooLarge: nothing was sent.
        """
        others = list(dict.fromkeys(user for user in users if user != self._own.owner))
        own_user = self._own.owner
        if not others:
            raise NotPossible("there is nobody to write to: name somebody other than yourself")
        try:
            async with asyncio.timeout(timeout):
                ready = await self._directory.prepare_all(
                    others if anonymous else [*others, own_user],
                    lambda user: self._caller_of(user, anonymous),
                    own=self._own,
                )
                if anonymous:
                    ready[own_user] = await self._directory.prepare_own(self._own, self._caller_of(own_user, False))
        except TimeoutError as error:
            if isinstance(error, TimedOut):
                raise
            raise TimedOut(f"the recipients could not be looked up within {timeout:g} s; nothing was sent") from error
        devices = [device for user in others for device in ready[user]]
        encoded = encode(letter)
        copy = _copy_of(letter, others)
        if len(encoded) <= SEALED_AT_ONCE:
            with self._store.transaction():
                entries = self._courier.seal(letter, devices, expires_at=expires_at, anonymous=anonymous)
                copies = self._courier.seal(copy, ready[own_user], expires_at=expires_at, anonymous=anonymous)
                self._record(letter, others, encoded)
            receipt = self._receipt(letter, devices, entries)
            self._courier.leave(entries)
            self._courier.leave_copies(copies, sealed=anonymous)
            return receipt
        return await self._send_large(letter, copy, devices, ready[own_user], others, encoded, anonymous, expires_at)

    async def _send_large(
        self,
        letter: Letter,
        copy: Letter,
        devices: list[DeviceAddress],
        own_devices: list[DeviceAddress],
        others: list[UserAddress],
        encoded: bytes,
        anonymous: bool,
        expires_at: int,
    ) -> Receipt:
        receipt: Receipt | None = None
        for device in [*devices, *own_devices]:
            what = letter if device.owner != self._own.owner else copy
            with self._store.transaction():
                entries = self._courier.seal(what, [device], expires_at=expires_at, anonymous=anonymous)
                if receipt is None:
                    self._record(letter, others, encoded)
            if receipt is None:
                receipt = self._receipt(letter, devices, entries)
            elif what is letter:
                _note_envelopes(receipt, entries)
            if device.owner == self._own.owner:
                self._courier.leave_copies(entries, sealed=anonymous)
            else:
                self._courier.leave(entries)
            await asyncio.sleep(0)
        assert receipt is not None  # noqa: S101 - there is at least one device
        return receipt

    def _receipt(self, letter: Letter, devices: list[DeviceAddress], entries: list[OutboxEntry]) -> Receipt:
        counts = Counter(entry.recipient for entry in entries if entry.content_id == letter.content.id)
        receipt = self._receipts.open(letter.content.id, devices, max(counts.values(), default=1))
        _note_envelopes(receipt, entries)
        return receipt

    def _record(self, letter: Letter, others: list[UserAddress], encoded: bytes) -> None:
        content = letter.content
        if isinstance(content, Chat | Mail):
            if content.group is not None:
                self._desk.remember_group(content.group)
            for other in others if content.group is None else others[:1]:
                self._desk.record(content, self._own, other, encoded)


def _note_envelopes(receipt: Receipt, entries: list[OutboxEntry]) -> None:
    receipt.envelopes |= {entry.message_id: entry.recipient for entry in entries if entry.content_id == receipt.id}


def _copy_of(letter: Letter, others: list[UserAddress]) -> Letter:
    """What our own other devices get: a retraction speaks for itself, everything else says to whom it went."""
    if isinstance(letter.content, Retract):
        return letter
    return Letter(letter.content, letter.attachment, tuple(others))
