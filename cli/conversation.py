"""A chat, without its looks: what is typed goes out, what comes in goes into the transcript."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from blindrelay.cli import notices
from blindrelay.cli.rendering import members, message_text
from blindrelay.cli.transcript import Line, Transcript
from blindrelay.cli.writing import parse_duration
from blindrelay.clients.content import Group
from blindrelay.clients.device import Device
from blindrelay.clients.errors import AdmissionRefused, ClientError, Closed
from blindrelay.clients.message import Message, News, Update
from blindrelay.clients.options import Posture
from blindrelay.clients.receipts import Stage
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed

_STAGES = {News.ACCEPTED: Stage.ACCEPTED, News.DELIVERED: Stage.DELIVERED, News.READ: Stage.READ}
_HISTORY = 50


class Conversation:
    """See the module.

    Args:
        changed: called with a line that is new or looks different now.
    """

    def __init__(self, device: Device, to: UserAddress | Group, clock: Clock, changed: Callable[[Line], None]) -> None:
        self.device = device
        self.to = to
        self.sealed = False
        self.over = False
        self.transcript = Transcript(device.user)
        self._clock = clock
        self._changed = changed
        #: What can be typed besides words: name -> what it does, what it is called with, what help says.
        self.commands: dict[str, tuple[Callable[[str], Awaitable[None]], str, str]] = {
            "/help": (self._help, "", "this list"),
            "/sealed": (self._toggle_sealed, "", "let the relay know who writes, or not"),
            "/expire": (self._expire, "15m TEXT", "say something that everybody's client forgets by then"),
            "/retract": (self._retract, "[NUMBER]", "take back a message of yours, the last one by default"),
            "/verify": (self._verify, "", "the safety number, to compare by telephone"),
            "/who": (self._who, "", "whose devices read this"),
            "/quit": (self._quit, "", "leave; so does the end of input"),
        }

    @property
    def name(self) -> str:
        """Whom it is with."""
        return self.to.name if isinstance(self.to, Group) else str(self.to)

    async def begin(self) -> None:
        """Show what was said before, and who reads along."""
        for message, entry in self.device.history(self.to, limit=_HISTORY):
            self._changed(self.transcript.add_history(message, entry))
        await self._tell_of_archives()

    async def enter(self, typed: str) -> None:
        """Deal with one line of input. A mistake becomes a remark; only the end of the device is raised."""
        text = typed.strip()
        if not text:
            return
        try:
            if text.startswith("/"):
                await self._command(text)
            else:
                await self._say(text)
        except (AdmissionRefused, Closed):
            raise
        except (ClientError, Malformed) as error:
            self._remark(str(error))

    async def listen(self) -> None:
        """Take what comes, until the device ends; raises why it did."""
        while True:
            message = await self.device.receive()
            if self._is_ours(message):
                if message.group is not None:
                    self.to = message.group  # its members may have changed
                # What came while nobody was there is in the history already.
                if self.transcript.find(message.id) is None:
                    self._changed(self.transcript.add_message(message))
            else:
                self._remark(f"elsewhere: {message_text(message).plain}")

    async def follow(self) -> None:
        """Take the news of what was sent, until the device is left."""
        async for update in self.device.updates():
            self._hear(update)

    async def heed(self) -> None:
        """Show what the relay itself has to say, until the device is left."""
        await notices.follow(self.device, self._remark)

    def _hear(self, update: Update) -> None:
        line: Line | None = None
        match update.news:
            case News.ACCEPTED | News.DELIVERED | News.READ:
                line = self.transcript.advance(update.id, _STAGES[update.news])
            case News.COPY if update.message is not None and self._is_ours(update.message):
                line = self.transcript.add_message(update.message)
            case News.RETRACTED:
                line = self.transcript.retract(update.id)
            case News.REFUSED:
                self._remark(f"not accepted for {update.device}: {update.reason}")
            case News.UNREADABLE:
                self._remark(f"something came that cannot be read or believed: {update.reason}")
        if line is not None:
            self._changed(line)

    def _is_ours(self, message: Message) -> bool:
        if isinstance(self.to, Group) or message.group is not None:
            return isinstance(self.to, Group) and message.group is not None and message.group.id == self.to.id
        return self.to == message.sender or (message.sent_to is not None and self.to in message.sent_to)

    # --- what can be typed

    async def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        command = self.commands.get(name)
        if command is None:
            self._remark(f"there is no {name}; /help lists what there is")
            return
        await command[0](rest.strip())

    async def _say(self, text: str, expires_in: float | None = None) -> None:
        posture = Posture.SEALED if self.sealed else None
        receipt = await self.device.send(self.to, text, expires_in=expires_in, posture=posture)
        self._changed(self.transcript.add_own(self._now(), text, receipt, sealed=self.sealed))

    async def _help(self, _rest: str) -> None:
        for name, (_, arguments, what) in self.commands.items():
            self._remark(f"{f'{name} {arguments}':<20}{what}")

    async def _toggle_sealed(self, _rest: str) -> None:
        self.sealed = not self.sealed
        self._remark(
            "sealed: the relay does not learn who writes" if self.sealed else "standard: the relay learns who writes"
        )

    async def _expire(self, rest: str) -> None:
        duration, _, text = rest.partition(" ")
        seconds = parse_duration(duration)
        if seconds is None or not text.strip():
            self._remark("expected a duration and a text: /expire 15m The code is 4711")
            return
        await self._say(text.strip(), expires_in=seconds)

    async def _retract(self, rest: str) -> None:
        line = self.transcript.own(int(rest.lstrip("#")) if rest.lstrip("#").isdecimal() else 0 if not rest else -1)
        if line is None or line.id is None:
            self._remark("there is no such message of yours: /retract, or /retract 3")
            return
        await self.device.retract(line.id)
        self.transcript.retract(line.id)
        self._changed(line)

    async def _verify(self, _rest: str) -> None:
        for user in members(self.to):
            if user != self.device.user:
                self._remark(f"safety number with {user}: {await self.device.safety_number(user)}")
        self._remark("compare it by telephone; `blindrelay client contacts verify` remembers that you have")

    async def _who(self, _rest: str) -> None:
        for user in members(self.to):
            contact = await self.device.look_up(user)
            verified = ", verified" if self.device.is_verified(user) else ""
            devices = ", ".join(
                f"{entry.address.device}{' (archive)' if entry.archive else ''}" for entry in contact.recipients
            )
            self._remark(f"{user}{verified}: {devices}")

    async def _quit(self, _rest: str) -> None:
        self.over = True

    async def _tell_of_archives(self) -> None:
        for contact in self.device.contacts():
            if contact.user in members(self.to) and contact.archives:
                self._remark(f"{contact.user} has a compliance archive that reads along")

    def _remark(self, text: str) -> None:
        self._changed(self.transcript.remark(self._now(), text))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)
