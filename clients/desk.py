"""What a letter that arrived means: to the application, to the history, to the receipts of letters that we sent.

`handle` runs inside the transaction that moves the ratchet and marks the envelope as processed, so that a letter is
remembered exactly when it will never come again.
"""

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from blindrelay.clients.contacts import Contacts
from blindrelay.clients.content import Chat, Delivered, Group, Letter, Mail, Profile, Read, Retract, decode, encode
from blindrelay.clients.courier import Courier
from blindrelay.clients.errors import ClientError, ContentRejected
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.message import Message, News, Update
from blindrelay.clients.options import Options
from blindrelay.clients.postroom import Arrival
from blindrelay.clients.receipts import Receipts, Stage
from blindrelay.clients.records import HistoryEntry
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock

if TYPE_CHECKING:
    from blindrelay.clients.device import Device

RETRACTED: Final = "retracted"
_SENDER_LENGTH: Final = struct.Struct(">H")
_NEWS: Final = {Stage.ACCEPTED: News.ACCEPTED, Stage.DELIVERED: News.DELIVERED, Stage.READ: News.READ}

Tell = Callable[[Update], None]


class Desk:
    """See the module.

    Args:
        own: the address of this device.
        tell: called with news, also from inside a transaction: it must only note them.
    """

    def __init__(
        self,
        own: DeviceAddress,
        store: KeyStore,
        contacts: Contacts,
        receipts: Receipts,
        courier: Courier,
        clock: Clock,
        options: Options,
        tell: Tell,
    ) -> None:
        self._own = own
        self._store = store
        self._contacts = contacts
        self._receipts = receipts
        self._courier = courier
        self._clock = clock
        self._options = options
        self._tell = tell
        self._numbers = 0
        #: What the application has not taken yet, in order: number and message.
        self._queue: deque[tuple[int, Message]] = deque()
        self._staged: list[tuple[int, Message]] = []
        #: Numbers in the queue that were taken back before the application took them.
        self._retracted: set[int] = set()

    # --- arrivals

    def load(self, owner: "Device") -> None:
        """Take up the messages that an earlier run stored and its application never took."""
        self._queue.clear()
        for key, value in sorted(self._store.items(Space.ARRIVED)):
            (length,) = _SENDER_LENGTH.unpack_from(value)
            start = _SENDER_LENGTH.size + length
            sender = DeviceAddress.parse(value[_SENDER_LENGTH.size : start].decode())
            self._numbers = int(key)
            self._queue.append((self._numbers, Message.of(decode(value[start:]), sender, owner)))

    def handle(self, arrival: Arrival, owner: "Device", debts: dict[DeviceAddress, list[bytes]]) -> None:
        """Deal with one letter; "delivered" receipts that are due in this transaction are added to `debts`.

        Raises:
            ContentRejected, IdentityRejected: it says what it must not; it stays processed.
        """
        sender, letter = arrival.sender.address, arrival.letter
        match letter.content:
            case Chat() | Mail() if letter.copy_for is not None:
                self._handle_copy(letter, sender, arrival.encoded, owner)
            case Chat() | Mail() as written:
                self._handle_message(letter, written, sender, arrival.encoded, owner, debts)
            case Delivered() as receipt:
                self._handle_receipt(receipt.letters, sender, Stage.DELIVERED)
            case Read() as receipt:
                self._handle_receipt(receipt.letters, sender, Stage.READ)
            case Retract() as retraction:
                is_known = self._handle_retraction(retraction.letter, sender)
                # To a stranger a receipt for what nobody sees says when this device is there (Gegenhuber et al.: Careless
                # Whisper, 2024). Whom this user has written to learns that from every letter.
                if is_known or arrival.sender.listed:
                    self._acknowledge(retraction, sender, debts)
            case Profile() as profile:
                if profile.token is not None:
                    self._contacts.learn_token(sender.owner, profile.token)
                self._store.put(Space.SETTING, f"name:{sender.owner}", profile.display_name.encode())

    def _handle_message(
        self,
        letter: Letter,
        written: Chat | Mail,
        sender: DeviceAddress,
        encoded: bytes,
        owner: "Device",
        debts: dict[DeviceAddress, list[bytes]],
    ) -> None:
        if written.group is not None and not {sender.owner, self._own.owner} <= set(written.group.members):
            raise ContentRejected("a message to a group that its sender or this user is no member of")
        message = Message.of(letter, sender, owner)
        self._acknowledge(written, sender, debts)
        if written.disappears_at is not None and written.disappears_at <= self._courier.milliseconds():
            return
        if written.group is not None:
            self.remember_group(written.group)
        self._numbers += 1
        address = str(sender).encode()
        self._store.put(Space.ARRIVED, f"{self._numbers:020}", _SENDER_LENGTH.pack(len(address)) + address + encoded)
        self.record(written, sender, sender.owner, encoded)
        self._staged.append((self._numbers, message))

    def _acknowledge(
        self, content: Chat | Mail | Retract, sender: DeviceAddress, debts: dict[DeviceAddress, list[bytes]]
    ) -> None:
        if not self._options.delivery_receipts or sender.owner == self._own.owner:
            return
        if content.answer_sealed:
            self._courier.owe(Delivered, sender, content.id, sealed=True)
        else:
            debts.setdefault(sender, []).append(content.id)

    def begin(self) -> None:
        """A transaction begins. Whatever an earlier one left behind was rolled back."""
        self._staged.clear()

    def committed(self) -> bool:
        """The transaction is durable: hand over what it brought; return whether there is something."""
        brought = bool(self._staged)
        self._queue.extend(self._staged)
        self._staged.clear()
        return brought

    def _handle_copy(self, letter: Letter, sender: DeviceAddress, encoded: bytes, owner: "Device") -> None:
        if sender.owner != self._own.owner or letter.copy_for is None:
            raise ContentRejected("a copy of a letter that this user has not sent")
        written = letter.content
        if isinstance(written, Chat | Mail):
            if written.group is not None:
                self.remember_group(written.group)
            for other in letter.copy_for if written.group is None else letter.copy_for[:1]:
                self.record(written, sender, other, encoded)
            self._tell(Update(News.COPY, written.id, sender, message=Message.of(letter, sender, owner)))

    def _handle_receipt(self, letters: list[bytes], sender: DeviceAddress, stage: Stage) -> None:
        for letter in letters:
            receipt = self._receipts.find(letter)
            is_party = receipt is not None and sender.owner in receipt.users
            if self.mark(letter, sender, stage) or is_party:
                self._tell(Update(_NEWS[stage], letter, sender))

    def _handle_retraction(self, letter: bytes, sender: DeviceAddress) -> bool:
        """Forget the words of a letter; returns whether there was one."""
        theirs = [entry for entry in self._store.find_letter(letter) if entry.sender.owner == sender.owner]
        for entry in theirs:
            self.blank(entry)
        waiting = [
            (n, message) for n, message in self._queue if message.id == letter and message.sender == sender.owner
        ]
        for number, message in waiting:
            self._queue.remove((number, message))
            self._store.delete(Space.ARRIVED, f"{number:020}")
        if theirs or waiting:
            self._tell(Update(News.RETRACTED, letter, sender))
        return bool(theirs or waiting)

    # --- history

    def record(self, written: Chat | Mail, sender: DeviceAddress, other: UserAddress, encoded: bytes) -> None:
        """Add a letter to its conversation: the group's, or the one with `other`."""
        if not self._options.keep_history:
            return
        conversation = str(other) if written.group is None else written.group.id.hex()
        disappears = None if written.disappears_at is None else written.disappears_at // 1000
        entry = HistoryEntry(
            conversation, written.id, sender, int(self._clock.now()), encoded, disappears_at=disappears
        )
        self._store.add_history(entry)

    def mark(self, letter: bytes, device: DeviceAddress, stage: Stage) -> bool:
        """Note in the history that `device` is at `stage` with a letter of ours; return whether that is news."""
        news = False
        for entry in self._store.find_letter(letter):
            if entry.sender.owner != self._own.owner or not self._is_party(entry.conversation, device.owner):
                continue
            known = entry.marks.get(str(device), Stage.WAITING.name)
            if Stage[known] < stage:
                self._store.replace_history(replace(entry, marks={**entry.marks, str(device): stage.name}))
                news = True
        return news

    def _is_party(self, conversation: str, user: UserAddress) -> bool:
        if conversation == str(user):
            return True
        group = self.group(conversation)
        return group is not None and user in group.members

    def blank(self, entry: HistoryEntry) -> None:
        """Take the words out of a letter in the history, and leave that there was one."""
        content = decode(entry.letter).content
        if isinstance(content, Chat | Mail):
            empty = Chat(
                id=content.id,
                sent_at=content.sent_at,
                text="",
                group=content.group,
                answer_sealed=content.answer_sealed,
            )
            self._store.replace_history(
                replace(entry, letter=encode(Letter(empty)), marks={**entry.marks, RETRACTED: "yes"})
            )

    # --- groups

    def remember_group(self, group: Group) -> None:
        """Keep what the last message said about the group."""
        self._store.put(Space.GROUP, group.id.hex(), group.model_dump_json().encode())

    def group(self, conversation: str) -> Group | None:
        """The group of that id (hex), if there is one."""
        value = self._store.get(Space.GROUP, conversation)
        return None if value is None else Group.model_validate_json(value)

    def groups(self) -> list[Group]:
        """All groups, by name."""
        found = [Group.model_validate_json(value) for _, value in self._store.items(Space.GROUP)]
        return sorted(found, key=lambda group: group.name)

    # --- handing over

    def take(self) -> Message | None:
        """The next message for the application; it is not handed out again, by this process or another."""
        while self._queue:
            number, message = self._queue[0]
            with self._store.transaction():
                self._store.delete(Space.ARRIVED, f"{number:020}")
            self._queue.popleft()
            gone = message.disappears_at
            retracted = number in self._retracted
            self._retracted.discard(number)
            if not retracted and (gone is None or gone.timestamp() > self._clock.now()):
                return message
        return None

    def refuse(self, error: ClientError, sender: DeviceAddress | None) -> None:
        """Something arrived that cannot be read or believed."""
        self._tell(Update(News.UNREADABLE, b"", sender, reason=str(error)))
