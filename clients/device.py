"""A device: what an application writes and reads messages with."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from blindrelay.clients.connection import Connection
from blindrelay.clients.contacts import Contact
from blindrelay.clients.content import MAX_MEMBERS, MAX_TEXT, Chat, Group, Letter, Mail, Retract
from blindrelay.clients.courier import new_id
from blindrelay.clients.errors import Closed, ContentTooLarge, NotPossible, TimedOut
from blindrelay.clients.heads import Heads
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.mail import Attachment, MailMessage, build
from blindrelay.clients.message import Message, Update
from blindrelay.clients.notices import KeptNotice
from blindrelay.clients.options import Options, Posture
from blindrelay.clients.receipts import Receipt, Stage
from blindrelay.clients.records import HistoryEntry
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.running import Running
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.protocol.notices import Notice
from blindrelay.protocol.rpc import MY_DATA, Empty, MyData

STORE_FILE: Final = "keystore.db"

#: Whom to write to: `bob@globex.example`, or a group.
To = str | UserAddress | Group
#: What goes with a mail: a file, bytes, or bytes with a name and a type.
Enclosure = Path | bytes | Attachment


def _user(to: str | UserAddress) -> UserAddress:
    return UserAddress.parse(to) if isinstance(to, str) else to


class Device:
    """One device of one person. An async context manager: inside, it is connected, and stays so by itself.

    It may be entered again after it was left. Messages that arrive are stored before the relay is told that they did;
    messages that are sent are stored before the relay gets them.

    Args:
        store: the device's key store, with its identity in it.
        relay: where to connect.
        options: see `Options`.
        owns_store: whether leaving closes the store.
    """

    def __init__(
        self,
        store: KeyStore,
        relay: RelayAddress,
        *,
        clock: Clock | None = None,
        options: Options | None = None,
        owns_store: bool = False,
    ) -> None:
        self._store = store
        self._owns_store = owns_store
        self._clock = clock or SystemClock()
        self.options = options or Options()
        self._running = Running(self, store, relay, self._clock, self.options)

    @classmethod
    def open(
        cls,
        folder: Path,
        passphrase: str,
        relay: RelayAddress | None = None,
        *,
        options: Options | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """A device that `Enterprise.issue` put into `folder`. Leaving it closes its key store.

        Raises:
            NotEnrolled: there is no device, or no relay.
            WrongPassphrase, StoreInUse, StoreDamaged, StoreTooNew: see `KeyStore.open`.
        """
        address = relay or RelayAddress.find()
        store = KeyStore.open(folder / STORE_FILE, passphrase)
        try:
            return cls(store, address, clock=clock, options=options, owns_store=True)
        except BaseException:
            store.close()
            raise

    def __repr__(self) -> str:
        return f"Device({self.address})"

    @property
    def address(self) -> DeviceAddress:
        """Which device this is."""
        return self._running.identity.address

    @property
    def user(self) -> UserAddress:
        """Whose it is."""
        return self.address.owner

    async def __aenter__(self) -> Self:
        """Connect, make the device's keys known, and take up what waits in both directions.

        Raises:
            RelayUnreachable, AdmissionRefused, TimedOut: see `Connection.start`. Later losses are mended silently.
        """
        await self._running.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is still to be sent (`Options.farewell`; not after an error or Ctrl-C), then disconnect.

        What could not be sent is in the key store and goes out the next time.
        """
        try:
            await self._running.stop(self.options.farewell if kind is None else 0)
        finally:
            if self._owns_store:
                self._store.close()

    def close(self) -> None:
        """Close the key store. One in memory is gone then, with everything in it."""
        self._store.close()

    # --- writing

    async def send(
        self,
        to: To,
        text: str,
        *,
        expires_in: float | None = None,
        posture: Posture | str | None = None,
        urgent: bool = False,
        reply_to: bytes | None = None,
        timeout: float = 30.0,
    ) -> Receipt:
        """Write a chat to a person or a group.

        It is in the key store when this returns, and leaves by itself, now or when the relay can be reached: see `Receipt`.
        A cancel before that leaves nothing.

        Args:
            to: `bob@globex.example`, or a group.
            text: up to `content.MAX_TEXT` characters.
            expires_in: seconds after which everybody's client forgets it, read or not.
            posture: instead of the device's own (`Options.posture`).
            timeout: seconds for looking up the recipients, where that is needed.

        Raises:
            UnknownRecipient, IdentityRejected, NoDeliveryToken, TimedOut, ContentTooLarge: nothing was sent.
            AdmissionRefused: the relay does not let this device in any more.
        """
        if len(text) > MAX_TEXT:
            raise ContentTooLarge(
                f"a chat of {len(text):,} characters: expected {MAX_TEXT:,} at most; send it as a mail"
            )
        sealed = self._sealed(posture)
        users, group = self._recipients(to)
        content = Chat(
            id=new_id(),
            sent_at=self._now(),
            text=text,
            group=group,
            urgent=urgent,
            reply_to=reply_to,
            disappears_at=self._disappears(expires_in),
            answer_sealed=sealed,
        )
        return await self._send(Letter(content), users, sealed=sealed, expires_in=expires_in, timeout=timeout)

    async def send_mail(
        self,
        to: str | UserAddress | Iterable[str | UserAddress],
        subject: str,
        text: str,
        *,
        cc: Iterable[str | UserAddress] = (),
        attachments: Sequence[Enclosure] = (),
        posture: Posture | str | None = None,
        timeout: float = 60.0,
    ) -> Receipt:
        """Write a mail to one or several people, with up to 10 MB of attachments. See `send`.

        Cancelling while a large one is being sealed leaves it sent to some of the devices.

        Raises:
            OSError: an attachment cannot be read.
            ContentTooLarge: the attachments are too much for one mail.
        """
        sealed = self._sealed(posture)
        first = [to] if isinstance(to, str | UserAddress) else list(to)
        recipients, copied = [_user(one) for one in first], [_user(one) for one in cc]
        enclosed = [await _enclose(enclosure, number) for number, enclosure in enumerate(attachments, 1)]
        content = Mail(id=new_id(), sent_at=self._now(), answer_sealed=sealed)
        message = MailMessage(
            sender=self.user,
            to=tuple(recipients),
            cc=tuple(copied),
            subject=subject,
            text=text,
            date=datetime.fromtimestamp(int(self._clock.now()), UTC),
            attachments=tuple(enclosed),
        )
        letter = Letter(content, build(message, content.id))
        return await self._send(letter, [*recipients, *copied], sealed=sealed, expires_in=None, timeout=timeout)

    async def retract(self, letter: Receipt | Message | bytes, *, timeout: float = 30.0) -> Receipt:
        """Take a letter of ours back: everybody's client, ours too, forgets its words.

        Whoever has read it has read it. Raises `NotPossible` for a letter that this device does not know or that is
        somebody else's; else see `send`.
        """
        content_id = letter if isinstance(letter, bytes) else letter.id
        entries = [entry for entry in self._store.find_letter(content_id) if entry.sender.owner == self.user]
        users = {user for entry in entries for user in self._party(entry.conversation)}
        if isinstance(letter, Receipt):
            users |= set(letter.users)
        if not users:
            raise NotPossible(
                "only a letter that this user has sent can be taken back, and this one is not in the history"
            )
        # As the letter went: else the retraction would tell the relay who had sent it.
        sealed = self._sealed(None) or any(self._running.message_of(entry).sealed for entry in entries)
        retraction = Retract(id=new_id(), sent_at=self._now(), letter=content_id, answer_sealed=sealed)
        receipt = await self._send(Letter(retraction), sorted(users), sealed=sealed, expires_in=None, timeout=timeout)
        for entry in entries:
            self._running.desk.blank(entry)
        return receipt

    def create_group(self, name: str, members: Iterable[str | UserAddress]) -> Group:
        """A group, to write to. Its members learn of it from the first message; the relay never does."""
        everybody = list(dict.fromkeys([self.user, *(_user(member) for member in members)]))
        if not 2 <= len(everybody) <= MAX_MEMBERS:
            raise NotPossible(f"a group has 2 to {MAX_MEMBERS} members, this one would have {len(everybody)}")
        group = Group(id=new_id(), name=name, members=everybody)
        self._running.desk.remember_group(group)
        return group

    async def answer(self, message: Message, text: str) -> Receipt:
        """See `Message.reply`."""
        to: To = message.group or (message.sent_to[0] if message.sent_to else message.sender)
        posture = Posture.SEALED if message.sealed else None
        return await self.send(to, text, reply_to=message.id, posture=posture)

    # --- reading

    async def receive(self, timeout: float | None = None) -> Message:
        """The next message, in order of arrival; each is handed out once, also over restarts.

        Its sender is told that it was read, unless `Options.read_receipts` is off. A cancel takes nothing.

        Raises:
            TimedOut: none came within `timeout` seconds.
            AdmissionRefused: the relay does not let this device in any more (revoked, or connected from elsewhere).
            Closed: the device was left.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._running.next_message()
        except TimeoutError as error:
            raise TimedOut(f"no message came within {timeout:g} s") from error

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[Message]:
        while True:
            try:
                yield await self.receive()
            except Closed:
                return

    def mark_read(self, message: Message) -> None:
        """See `Message.mark_read`."""
        self._running.mark_read(message)

    async def updates(self) -> AsyncIterator[Update]:
        """News about letters, as they come, until the device is left. News from before are not repeated."""
        news = self._running.subscribe()
        try:
            while True:
                yield await news.next()
        except Closed:
            return
        finally:
            self._running.unsubscribe(news)

    def receipt(self, content_id: bytes) -> Receipt:
        """The receipt of a letter in the history; raise `NotPossible` if it is not there, or not ours."""
        live = self._running.receipts.find(content_id)
        if live is not None:
            return live
        entries = [entry for entry in self._store.find_letter(content_id) if entry.sender.owner == self.user]
        stages = {
            DeviceAddress.parse(device): Stage[mark]
            for entry in entries
            for device, mark in entry.marks.items()
            if "/" in device
        }
        if not stages:
            raise NotPossible(
                "there is no receipt for this letter: it is not in the history, or nothing is known of it yet"
            )
        return self._running.receipts.add(Receipt(content_id, stages))

    def history(self, with_: To, *, limit: int = 100) -> list[tuple[Message, HistoryEntry]]:
        """The last messages of a conversation, oldest first, with the store's own record (`marks`) of each."""
        self._store.remove_disappeared(self._clock.now())
        conversation = with_.id.hex() if isinstance(with_, Group) else str(_user(with_))
        entries = self._store.history(conversation, limit=limit)
        return [(self._running.message_of(entry), entry) for entry in entries]

    def search(self, words: str, *, limit: int = 100) -> list[Message]:
        """The last messages, of whatever conversation, that mention `words` (`Message.mentions`), newest first.

        Nobody is asked: what is looked for stays on the device, as what is found does.
        """
        self._store.remove_disappeared(self._clock.now())
        found = (self._running.message_of(entry) for entry in self._store.letters())
        return list(islice((message for message in found if message.mentions(words)), limit))

    def groups(self) -> list[Group]:
        """The groups that this device has heard of."""
        return self._running.desk.groups()

    # --- people

    async def look_up(self, user: str | UserAddress) -> Contact:
        """A person's devices as the directory has them now, verified; archives among them say so (`Contact.archives`).

        Raises:
            UnknownRecipient, IdentityRejected, TimedOut
        """
        return await self._running.directory.look_up(_user(user), self._connected())

    def contacts(self) -> list[Contact]:
        """Everybody whose devices this one has verified, by address; from the key store, so it needs no connection."""
        return self._running.contacts.all()

    async def safety_number(self, user: str | UserAddress) -> str:
        """Sixty digits that both sides see alike if nobody is in between: compare them by another way. See `look_up`."""
        other = _user(user)
        await self.look_up(self.user)
        await self.look_up(other)
        return self._running.contacts.safety_number(self.user, other)

    def mark_verified(self, user: str | UserAddress) -> None:
        """Remember that the safety number was compared; it counts until somebody's devices change."""
        self._running.contacts.mark_verified(self.user, _user(user))

    def is_verified(self, user: str | UserAddress) -> bool:
        """Whether the safety number was compared, and nothing has changed since."""
        return self._running.contacts.is_verified(self.user, _user(user))

    @property
    def heads(self) -> Heads:
        """The relay's public log of the directory, as this device has seen it, and any proof that it has two histories."""
        return self._running.heads

    # --- what the relay says itself

    async def my_data(self) -> MyData:
        """Everything that the relay holds about this device's user."""
        return await self._connected().call(MY_DATA, Empty())

    async def notices(self) -> AsyncIterator[Notice]:
        """What the relay tells this user: that records about them were disclosed, that the service is to be suspended.

        Those that this application has not been given yet, the oldest first, and then new ones as they come, until the device
        is left. Each is given once, also over restarts; `kept_notices` has all. That there is none does not mean that nothing
        was disclosed: the relay may have been forbidden to say so yet.
        """
        while True:
            try:
                yield await self._running.notices.next()
            except Closed:
                return

    async def fetch_notices(self) -> list[KeptNotice]:
        """Ask the relay for notices now, and return all that this device has. Cancelling loses none.

        Raises:
            IdentityRejected: one is not the relay's, or not for this user.
            RequestRefused, TimedOut
        """
        await self._running.notices.fetch(self._connected())
        return self.kept_notices()

    def kept_notices(self) -> list[KeptNotice]:
        """All notices that this device has, the oldest first; from the key store, so it needs no connection."""
        return self._running.notices.kept()

    # --- inside

    async def _send(
        self, letter: Letter, users: Iterable[UserAddress], *, sealed: bool, expires_in: float | None, timeout: float
    ) -> Receipt:
        self._connected()
        return await self._running.dispatch.send(
            letter,
            users,
            anonymous=sealed,
            expires_at=self._running.courier.expiry(expires_in),
            timeout=timeout,
        )

    def _connected(self) -> Connection:
        return self._running.connection()

    def _sealed(self, posture: Posture | str | None) -> bool:
        return (self.options.posture if posture is None else Posture(posture)) is Posture.SEALED

    def _recipients(self, to: To) -> tuple[list[UserAddress], Group | None]:
        if isinstance(to, Group):
            return list(to.members), to
        return [_user(to)], None

    def _party(self, conversation: str) -> list[UserAddress]:
        group = None if "@" in conversation else self._running.desk.group(conversation)
        return list(group.members) if group else [UserAddress.parse(conversation)]

    def _now(self) -> int:
        return int(self._clock.now() * 1000)

    def _disappears(self, expires_in: float | None) -> int | None:
        if expires_in is None:
            return None
        if expires_in <= 0:
            raise NotPossible(f"expires_in is {expires_in:g}: expected a number of seconds above 0")
        return self._now() + int(expires_in * 1000)


async def _enclose(enclosure: Enclosure, number: int) -> Attachment:
    if isinstance(enclosure, Attachment):
        return enclosure
    if isinstance(enclosure, bytes):
        return Attachment(f"attachment-{number}", enclosure)
    return Attachment(enclosure.name, await asyncio.to_thread(enclosure.read_bytes))
