"""What happens in a pair of worlds, drawn from a seed; and what people write, in two versions of the same length class.

The skeleton (who writes to whom, in which posture, what is asked for when) is the same in both. What differs, and in which way,
is drawn as well, so that a difference can be traced to the way that causes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from random import Random
from typing import Final

from blindrelay.clients.envelope import MIN_BUCKET
from blindrelay.protocol.sizes import padme


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
# Between a letter's length and its envelope's: seal, frame, sender's name, ratchet and its padding. In bytes, roughly.
_AROUND: Final = range(1_180, 1_420, 4)
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
    # A reaction is short; and of what is long, how long it is in the end depends on more than is known here.
    is_short = skeleton.random() < 0.5 or kind not in {Kind.CHAT, Kind.MAIL} or way is Way.REACTION
    one, other = _versions(words, ways, way, SHORT if is_short else LONG, is_mail=kind is Kind.MAIL)
    match kind:
        case Kind.GROUP:
            one, other = _group(one, other, ways)
            return Action(kind, "alice", "bob", sealed, (one, other), way)
        case Kind.MARK:
            versions = (Version(one.text), Version(one.text, marks=1))
            return Action(kind, sender, recipient, sealed, versions)
        case Kind.WAIT:
            return Action(kind, "alice", "bob", False, (one, other), way)
    return Action(kind, sender, recipient, sealed, (one, other), way)


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
            return _latin(words, _in_the_same_bucket(words, size, longest, is_mail=is_mail))
        case Way.LANGUAGE:
            return "".join(words.choice(_CHARACTERS) for _ in range(size // 3))
        case Way.REPETITION:
            return "a" * size
        case Way.REACTION if not is_mail:
            return _THUMB
    return text


def _in_the_same_bucket(words: Random, size: int, longest: int, *, is_mail: bool) -> int:
    """Another length of a text of `size`, for which the envelope is as long, whatever is around it."""
    rest = 2_200 if is_mail else 300  # a mail's head, subject and attachment; a chat's head
    for _ in range(50):
        other = words.randint(1, longest)
        spans = [range(each + rest - 300, each + rest + 300, 20) for each in (size, other)]
        pairs = zip(spans[0], spans[1], strict=True)
        if other != size and all(
            _bucket(one + around) == _bucket(two + around) for one, two in pairs for around in _AROUND
        ):
            return other
    return size


@cache
def _bucket(length: int) -> int:
    return padme(max(length, MIN_BUCKET))


def _latin(words: Random, size: int) -> str:
    return "".join(words.choice(_LATIN) for _ in range(size))
