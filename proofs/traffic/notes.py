"""What is written down while a world is played: by the relay's side of it, and, apart from that, by the clients'."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from blindrelay.clients import content
from blindrelay.clients.content import Chat, Letter, Mail, Profile
from blindrelay.clients.postroom import Postroom
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from blindrelay.protocol import topics
from blindrelay.relay.exchange import Exchange
from blindrelay.relay.identity import DeviceIdentity, SealedSender
from blindrelay.relay.reception import Reception
from blindrelay.relay.store.committer import Outcome

_NOBODY: Final = Truth("", Kind.QUESTION, 0, "")


@dataclass(slots=True)
class Notes:
    """Attributes:
    seen, truth: by message id: what the relay has of an envelope, and what it is.
    kept: what is in the relay's database in the end. sizes: of envelopes that were weighed: kind, length of content, size.
    doors: anonymous connections: whose token they showed, and when.
    began, ended: of what counts; before, people were enrolled. Seconds.
    """

    seen: dict[bytes, Seen] = field(default_factory=dict)
    truth: dict[bytes, Truth] = field(default_factory=dict)
    doors: list[Seen] = field(default_factory=list)
    kept: dict[bytes, Seen] = field(default_factory=dict)
    sizes: list[tuple[Kind, int, int]] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    def traffic(self) -> Traffic:
        """Envelopes, and anonymous connections that have brought none: somebody has asked about somebody."""
        passed = [(seen, self.truth[message_id]) for message_id, seen in self.seen.items()]
        used = {seen.connection for seen in self.seen.values()}
        asked = [(door, _NOBODY) for door in self.doors if door.connection not in used]
        return Traffic.of(each for each in [*passed, *asked] if self.began <= each[0].at <= self.ended)

    def written_down(self) -> list[Seen]:
        """What the relay has kept of the envelopes in `traffic`."""
        return [self.kept[message_id] for message_id, seen in self.seen.items() if self.began <= seen.at <= self.ended]


class Played(BaseModel):
    """What came of a world, on its way between processes: see `Notes`."""

    traffic: Traffic
    kept: list[Seen]
    sizes: list[tuple[Kind, int, int]]

    @classmethod
    def of(cls, notes: Notes) -> "Played":
        """Put it together."""
        return cls(traffic=notes.traffic(), kept=notes.written_down(), sizes=notes.sizes)


@contextmanager
def noting(notes: Notes, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Inside, what a relay of this process accepts is written down, and what a client seals."""
    settle, connect, seal = Exchange.settle, Reception.connect, Postroom.seal
    names: dict[Any, str] = {}

    def name(peer: Any) -> str:
        return names.setdefault(peer, f"c{len(names)}")

    def settling(self: Exchange, batch: list[Any], outcome: Outcome) -> None:
        for entry in batch if outcome is Outcome.COMMITTED else ():
            peer, mailbox = entry.origin.peer, entry.origin.mailbox
            sender = str(peer.identity.address) if isinstance(peer.identity, DeviceIdentity) else None
            recipient = mailbox.topic.removeprefix(topics.INBOX)
            notes.seen[entry.message_id] = Seen(loop.time(), sender, recipient, len(entry.payload), name(peer))
        settle(self, batch, outcome)

    def connecting(self: Reception, peer: Any, packet: Any) -> None:
        connect(self, peer, packet)
        if peer.admitted is not None and isinstance(peer.admitted.identity, SealedSender):
            user = peer.admitted.identity.recipient
            notes.doors.append(Seen(loop.time(), None, f"{user.tenant}/{user.user}/", 0, name(peer)))

    def sealing(self: Postroom, letter: Letter, *arguments: Any, **more: Any) -> Any:
        entries = seal(self, letter, *arguments, **more)
        truth = Truth(str(self._identity.address), kind(letter), len(content.encode(letter)), _about(letter))
        notes.truth.update(dict.fromkeys((entry.message_id for entry in entries), truth))
        return entries

    Exchange.settle, Reception.connect, Postroom.seal = settling, connecting, sealing  # type: ignore[method-assign]
    try:
        yield
    finally:
        Exchange.settle, Reception.connect, Postroom.seal = settle, connect, seal  # type: ignore[method-assign]


def kind(letter: Letter) -> Kind:
    """What it is for."""
    if letter.copy_for is not None:
        return Kind.COPY
    if isinstance(letter.content, Chat | Mail):
        return Kind.LETTER
    return Kind.PROFILE if isinstance(letter.content, Profile) else Kind.RECEIPT


def _about(letter: Letter) -> str:
    """The letter that it belongs to: of a receipt the first one that it is for."""
    answered = getattr(letter.content, "letters", None)
    return bytes(answered[0] if answered else letter.content.id).hex()
