"""What people do: chats, mails, groups, receipts, retractions, in both postures, with a canary in all that they word."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from blindrelay.clients.content import Group
from blindrelay.clients.device import Device
from blindrelay.clients.errors import TimedOut
from blindrelay.clients.mail import Attachment
from blindrelay.clients.message import Message
from blindrelay.clients.options import Posture
from blindrelay.clients.receipts import Receipt
from blindrelay.proofs.evidence.canaries import Kind, Registry
from blindrelay.proofs.evidence.cast import Cast
from blindrelay.proofs.evidence.manifest import Letter

_SUBJECT: Final = 300
#: Larger than one envelope takes: it travels in parts.
LARGE: Final = 300_000
#: Between two looks at what happens by itself. Seconds.
_LOOK: Final = 0.01


class Workload:
    """Lets people write, and waits until it has arrived.

    Args:
        patience: how long to wait for a message that does not come. Seconds.
    """

    def __init__(self, cast: Cast, registry: Registry, patience: float) -> None:
        self.letters: list[Letter] = []
        self._cast = cast
        self._registry = registry
        self._patience = patience

    def words(self, about: str, length: int = 0, kind: Kind = Kind.BODY) -> str:
        """Something that a person writes, with a canary in it."""
        return self._registry.text(kind, about, length, "Tell nobody before Friday:")

    @property
    def arrived(self) -> int:
        """How many letters have arrived everywhere."""
        return sum(letter.arrived for letter in self.letters)

    async def more(self, count: int) -> None:
        """Wait until so many letters more have arrived."""
        wanted = self.arrived + count
        while self.arrived < wanted:  # noqa: ASYNC110 - several tasks count
            await asyncio.sleep(_LOOK)

    def search(self, device: Device, about: str) -> None:
        """Somebody looks for something among what was written: nobody else is to learn for what."""
        device.search(self._registry.text(Kind.SEARCH_TERM, f"of {device.user}: {about}"))

    async def chat(
        self, sender: Device, recipients: Sequence[Device], *, posture: Posture = Posture.STANDARD, length: int = 0,
        to: Group | None = None, expires_in: float | None = None,
    ) -> Letter:  # fmt: skip
        """A chat to the user of `recipients`, or to a group; wait until each of these devices has it."""
        about = f"{sender.user} to {to.id.hex()[:8] if to else recipients[0].user}, {posture}"
        words = self.words(about, length)
        receipt = await sender.send(to or recipients[0].user, words, posture=posture, expires_in=expires_in)
        return await self._arrive(about, sender, recipients, receipt, posture, lambda message: message.text == words)

    async def mail(
        self, sender: Device, recipients: Sequence[Device], *, posture: Posture = Posture.STANDARD, size: int = 2_000
    ) -> Letter:
        """A mail with two attachments."""
        about = f"mail of {sender.user}, {posture}"
        subject = self.words(f"subject of {about}", _SUBJECT, Kind.SUBJECT)
        files = [
            Attachment(
                f"{self._registry.text(Kind.ATTACHMENT_NAME, f'{number} of {about}')}.txt",
                self.words(f"attachment {number} of {about}", size, Kind.ATTACHMENT).encode(),
                "text/plain",
            )
            for number in (1, 2)
        ]
        receipt = await sender.send_mail(
            [device.user for device in recipients], subject, self.words(about, 500), attachments=files, posture=posture
        )
        return await self._arrive(
            about, sender, recipients, receipt, posture, lambda message: message.subject == subject
        )

    async def group(self, founder: Device, members: Sequence[Device]) -> Group:
        """A group that everybody has been written to in."""
        name = self._registry.text(Kind.GROUP_NAME, f"a group of {founder.user}", words="Heron")
        group = founder.create_group(name, [member.user for member in members])
        await self.chat(founder, members, to=group)
        return group

    async def retract(self, sender: Device, recipient: Device) -> None:
        """Somebody writes and takes it back."""
        receipt = await sender.send(recipient.user, self.words(f"{sender.user} to {recipient.user}, taken back"))
        await receipt.delivered(self._patience)
        await sender.retract(receipt)

    async def ring(self, devices: Sequence[Device], posture: Posture) -> None:
        """Everybody writes to the next and is answered, all at once."""
        pairs = list(zip(devices, [*devices[1:], devices[0]], strict=True))
        await asyncio.gather(*(self.chat(sender, [recipient], posture=posture) for sender, recipient in pairs))
        await asyncio.gather(*(self.chat(recipient, [sender], posture=posture) for sender, recipient in pairs))

    async def busy(self, sender: Device, recipient: Device, over: asyncio.Event) -> int:
        """Write and read until `over`: the load under which memory is looked at. Returns how many messages that were."""
        count = 0
        while not over.is_set():
            await self.chat(sender, [recipient], length=4_000)
            count += 1
        return count

    async def read(self, device: Device) -> list[Message]:
        """Everything that waits for an application."""
        found = []
        with contextlib.suppress(TimedOut):
            while True:
                found.append(await device.receive(0.2))
        return found

    async def _arrive(
        self, about: str, sender: Device, recipients: Iterable[Device], receipt: Receipt, posture: Posture,
        is_it: Callable[[Message], bool],
    ) -> Letter:  # fmt: skip
        letter = Letter(
            about=about,
            sender=str(sender.address),
            recipients=[str(device.address) for device in recipients],
            sealed=posture is Posture.SEALED,
        )
        self.letters.append(letter)
        for device in recipients:
            # Others write at the same time: what comes first is theirs.
            while not is_it(await device.receive(self._patience)):
                pass
        await receipt.accepted(self._patience)
        letter.arrived = True
        return letter
