"""What happens in a pair of worlds, drawn from a seed; and what people write, in two versions of the same length class.

The skeleton (who writes to whom, in which posture, what is asked for when) is the same in both. What differs, and in which way,
is drawn as well, so that a difference can be traced to the way that causes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import Final

from blindrelay.clients.content import Chat, Group, Letter, Mail
from blindrelay.clients.mail import Attachment, MailMessage, build
from blindrelay.proofs.worlds import sizes
from blindrelay.proofs.worlds.template import PEOPLE, user_of
from blindrelay.protocol.address import DeviceAddress


class Way(StrEnum):
    """In which way two versions of something differ."""

    WORDS = "other words of the same length"
    LENGTH = "another length in the same bucket"
    LANGUAGE = "another language, in as many bytes"
    REPETITION = "words that compress, and words that do not"
    REACTION = "a thumb, and a sentence"
    SUBJECT = "another subject"
    NAMES = "other names of attachments and groups"
    FLAGS = "urgent or not, an answer or not, a link or none"
    RECEIPT = "another letter marked as read"
    GROUP = "as a group, or one by one"
    WHO = "somebody else in a group of the same size"


#: Those of a text. Each action has one of them; the others can come together.
TEXTS: Final = (Way.WORDS, Way.LENGTH, Way.LANGUAGE, Way.REPETITION, Way.REACTION)
_OTHERS: Final = tuple(way for way in Way if way not in TEXTS)


class Kind(StrEnum):
    """What somebody does."""

    CHAT = "chat"
    MAIL = "mail"
    GROUP = "group"
    MARK = "two chats, of which one is marked as read"
    WAIT = "chat to somebody who is away"


@dataclass(frozen=True, slots=True)
class Version:
    """What is written, in one of the worlds. `marks`: which letter is marked as read."""

    text: str
    subject: str = ""
    name: str = "file.txt"
    data: bytes = b""
    urgent: bool = False
    answers: bool = False
    members: tuple[str, ...] = ()
    one_by_one: bool = False
    marks: int = 0


@dataclass(frozen=True, slots=True)
class Action:
    """Something happens: the same in both worlds but for its two versions. `way`: in which their texts differ."""

    kind: Kind
    sender: str
    recipient: str
    sealed: bool
    versions: tuple[Version, Version]
    way: Way | None = None

    @property
    def ways(self) -> Iterator[Way]:
        """In which its versions do differ, as far as that is sent."""
        one, other = self.versions
        if self.way is not None and one.text != other.text:
            yield self.way
        if one.subject != other.subject and self.kind is Kind.MAIL:
            yield Way.SUBJECT
        if one.name != other.name and self.kind in {Kind.MAIL, Kind.GROUP}:
            yield Way.NAMES
        if one.urgent != other.urgent and self.kind in {Kind.CHAT, Kind.WAIT}:
            yield Way.FLAGS
        if one.marks != other.marks:
            yield Way.RECEIPT
        if one.one_by_one != other.one_by_one:
            yield Way.GROUP
        if one.members != other.members:
            yield Way.WHO

    @property
    def from_device(self) -> DeviceAddress:
        """The sender's device."""
        user = user_of(self.sender)
        return DeviceAddress(user.tenant, self.sender, PEOPLE[user.tenant][self.sender])

    @property
    def letters(self) -> tuple[Letter, Letter]:
        """Both versions, as `play` has a device write them."""
        one, other = self.versions
        return self._letter(one), self._letter(other)

    @property
    def is_alike(self) -> bool:
        """Whether the envelopes of both versions have the same size, for sure."""
        one, other = (sizes.possible(each, self.from_device) for each in self.letters)
        return one == other

    def _letter(self, version: Version) -> Letter:
        if self.kind is Kind.MAIL:
            enclosed = (Attachment(version.name, version.data, "text/plain"),)
            who = user_of(self.sender), (user_of(self.recipient),)
            mail = MailMessage(*who, version.subject, version.text, _AT_ANY_TIME, attachments=enclosed)
            return Letter(Mail(id=_ID, sent_at=_SENT_AT), build(mail, _ID), seen=bytes(sizes.SEEN))
        group = None
        if version.members and not version.one_by_one:
            group = Group(id=_ID, name=version.name, members=[user_of(name) for name in version.members])
        answered = _ID if version.answers else None
        chat = Chat(id=_ID, sent_at=_SENT_AT, text=version.text, group=group, urgent=version.urgent, reply_to=answered)
        return Letter(chat, seen=bytes(sizes.SEEN))


@dataclass(frozen=True, slots=True)
class Script:
    """A pair. `ways`: in which its worlds differ; none: in nothing at all."""

    seed: int
    ways: frozenset[Way]
    actions: tuple[Action, ...]

    @property
    def swaps(self) -> bool:
        """Whether carol and derek have taken each other's place in the second world."""
        return Way.WHO in self.ways


#: How long texts are, from and to, in bytes of UTF-8.
SHORT: Final = (1, 250)
LONG: Final = (3_000, 3_600)
#: Another length is that much longer or shorter at most: further away is no envelope of the same size. In bytes.
_NEAR: Final = 250
#: Versions are drawn so often until their envelopes are sure to have the same size; the second half of them are short.
_TRIES: Final = 200
_ID: Final = bytes(16)
_AT_ANY_TIME: Final = datetime(2026, 11, 27, 12, tzinfo=UTC)
_SENT_AT: Final = int(_AT_ANY_TIME.timestamp() * 1_000)
_LATIN: Final = "abcdefghijklmnopqrstuvwxyz"
_CHARACTERS: Final = "日本語中文字漢語話説読書見聞行来"
_LINK: Final = "https://example.org/a "
_THUMB: Final = "\N{THUMBS UP SIGN}"


def draw(seed: int, ways: frozenset[Way] | None = None) -> Script:
    """The script of a seed. Six seeds that follow one another have every way among them.

    Args:
        ways: of those that it would have, these alone.
    """
    chance = Random(seed)
    chosen = [TEXTS[seed % len(TEXTS)], _OTHERS[seed % len(_OTHERS)]]
    chosen += [way for way in chance.sample(list(Way), chance.randint(0, 2)) if way not in chosen]
    if ways is not None:
        chosen = [way for way in chosen if way in ways]
    actions = tuple(_actions(Random(f"{seed} skeleton"), Random(f"{seed} words"), chosen))
    return Script(seed, frozenset(way for action in actions for way in action.ways), actions)


def _actions(skeleton: Random, words: Random, ways: list[Way]) -> Iterator[Action]:
    texts: list[Way | None] = [way for way in ways if way in TEXTS]
    count = skeleton.randint(2, 4)
    kinds = [skeleton.choice([Kind.CHAT, Kind.CHAT, Kind.MAIL]) for _ in range(count)]
    if {Way.SUBJECT, Way.NAMES} & set(ways):
        kinds[1] = Kind.MAIL
    if {Way.WHO, Way.GROUP} & set(ways):
        kinds[0] = Kind.GROUP
    if Way.RECEIPT in ways:
        kinds.append(Kind.MARK)
    for number, kind in enumerate([*kinds, Kind.WAIT], 1):
        # The last one has the first way: in a short chat every way makes a difference.
        yield _action(kind, skeleton, words, ways, texts[(len(kinds) + 1 - number) % len(texts)] if texts else None)


def _action(kind: Kind, skeleton: Random, words: Random, ways: list[Way], way: Way | None) -> Action:
    sender, recipient = skeleton.choice([("alice", "bob"), ("bob", "alice")])
    sealed = skeleton.random() < 0.4
    is_short = skeleton.random() < 0.5 or kind not in {Kind.CHAT, Kind.MAIL} or way is Way.REACTION  # that is short
    if kind in {Kind.GROUP, Kind.WAIT}:
        sender, recipient = "alice", "bob"
    for number in range(_TRIES):
        length = SHORT if is_short or number > _TRIES // 2 else LONG
        versions = _both(kind, words, ways, way, length)
        differs = None if kind is Kind.MARK else way
        action = Action(kind, sender, recipient, sealed and kind is not Kind.WAIT, versions, differs)
        if action.is_alike:
            return action
    raise AssertionError(f"no two versions of the same size of a {kind} with {ways}")


def _both(
    kind: Kind, words: Random, ways: list[Way], way: Way | None, length: tuple[int, int]
) -> tuple[Version, Version]:
    one, other = _versions(words, ways, way, length, is_mail=kind is Kind.MAIL)
    match kind:
        case Kind.GROUP:
            return _group(one, other, ways)
        case Kind.MARK:
            return Version(one.text), Version(one.text, marks=1)
    return one, other


def _group(one: Version, other: Version, ways: list[Way]) -> tuple[Version, Version]:
    both = ("bob", "carol")
    apart = Way.GROUP in ways
    return (
        Version(one.text, name=one.name, members=both),
        Version(
            one.text if apart else other.text,
            name=one.name if apart else other.name,
            members=("bob", "derek") if Way.WHO in ways else both,
            one_by_one=apart,
        ),
    )


def _versions(
    words: Random, ways: list[Way], way: Way | None, length: tuple[int, int], *, is_mail: bool
) -> tuple[Version, Version]:
    shortest, longest = length
    size = words.randint(shortest, longest) // 6 * 6 + 6
    text = _latin(words, size)
    other = _other_text(words, text, way, longest, is_mail=is_mail)
    flags = Way.FLAGS in ways and not is_mail
    if flags and shortest <= len(_LINK) < size and way is not Way.REACTION:
        other = _LINK + other[: size - len(_LINK)]
    subjects = [_latin(words, 40)] * 2
    if Way.SUBJECT in ways:
        subjects[1] = _latin(words, 40)
    names = [f"{_latin(words, 12)}.txt"] * 2
    if Way.NAMES in ways:
        names[1] = f"{_latin(words, 12)}.txt"
    data = words.randbytes(600)
    other_data = words.randbytes(600) if way is Way.WORDS else data
    reacts = way is Way.REACTION and not is_mail
    return (
        Version(text, subjects[0], names[0], data),
        Version(other, subjects[1], names[1], other_data, urgent=flags, answers=flags or reacts),
    )


def _other_text(words: Random, text: str, way: Way | None, longest: int, *, is_mail: bool) -> str:
    size = len(text)
    match way:
        case Way.WORDS:
            return _latin(words, size)
        case Way.LENGTH:
            return _latin(words, words.randint(max(1, size - _NEAR), min(longest, size + _NEAR)))
        case Way.LANGUAGE:
            return "".join(words.choice(_CHARACTERS) for _ in range(size // 3))
        case Way.REPETITION:
            return "a" * size
        case Way.REACTION if not is_mail:
            return _THUMB
    return text


def _latin(words: Random, size: int) -> str:
    return "".join(words.choice(_LATIN) for _ in range(size))
