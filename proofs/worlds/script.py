"""What happens in a pair of worlds, drawn from a seed; and what people write, in two versions of the same length class.

The skeleton (who writes to whom, in which posture, what is asked for when) is the same in both. What differs, and in which way,
is drawn as well, so that a difference can be traced to the way that causes it.
"""

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
    SUBJECT = "another subject"
    NAMES = "other names of attachments and groups"
    FLAGS = "urgent or not, an answer or not, a link or none"
    GROUP = "as a group, or one by one"
    WHO = "somebody else in a group of the same size"


class Kind(StrEnum):
    """What somebody does."""

    CHAT = "chat"
    MAIL = "mail"
    GROUP = "group"
    WAIT = "chat to somebody who is away"


@dataclass(frozen=True, slots=True)
class Version:
    """What is written, in one of the worlds."""

    text: str
    subject: str = ""
    name: str = "file.txt"
    data: bytes = b""
    urgent: bool = False
    answers: bool = False
    members: tuple[str, ...] = ()
    one_by_one: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something happens: the same in both worlds but for its two versions."""

    kind: Kind
    sender: str
    recipient: str
    sealed: bool
    versions: tuple[Version, Version]


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
_OTHERS: Final = "日本語中文字漢語話説読書見聞行来"
_LINK: Final = "https://example.org/a "


def draw(seed: int, ways: frozenset[Way] | None = None) -> Script:
    """The script of a seed. `ways`: of those that it would have, these alone."""
    chance = Random(seed)
    chosen = frozenset(chance.sample(list(Way), chance.randint(1, 4)))
    if ways is not None:
        chosen = ways
    skeleton = Random(f"{seed} skeleton")
    words = Random(f"{seed} words")
    actions = [_action(skeleton, words, chosen) for _ in range(skeleton.randint(2, 4))]
    if Way.WHO in chosen or Way.GROUP in chosen:
        actions[0] = _group(skeleton, words, chosen)
    actions.append(_waiting(words, chosen))
    return Script(seed, chosen, tuple(actions))


def _action(skeleton: Random, words: Random, ways: frozenset[Way]) -> Action:
    kind = skeleton.choice([Kind.CHAT, Kind.CHAT, Kind.MAIL])
    sender, recipient = skeleton.choice([("alice", "bob"), ("bob", "alice")])
    sealed = skeleton.random() < 0.4
    length = skeleton.choice([SHORT, LONG])
    versions = _versions(words, ways, length, is_mail=kind is Kind.MAIL)
    return Action(kind, sender, recipient, sealed, versions)


def _group(skeleton: Random, words: Random, ways: frozenset[Way]) -> Action:
    one, other = _versions(words, ways, SHORT, is_mail=False)
    both = ("bob", "carol")
    members = (both, ("bob", "derek") if Way.WHO in ways else both)
    apart = Way.GROUP in ways
    versions = (
        Version(one.text, name=one.name, members=members[0]),
        Version(one.text if apart else other.text, name=other.name, members=members[1], one_by_one=apart),
    )
    return Action(Kind.GROUP, "alice", "bob", skeleton.random() < 0.3, versions)


def _waiting(words: Random, ways: frozenset[Way]) -> Action:
    return Action(Kind.WAIT, "alice", "bob", False, _versions(words, ways, SHORT, is_mail=False))


def _versions(
    words: Random, ways: frozenset[Way], length: tuple[int, int], *, is_mail: bool
) -> tuple[Version, Version]:
    shortest, longest = length
    size = words.randint(shortest, longest) // 6 * 6 + 6
    texts = [_latin(words, size)] * 2
    if Way.WORDS in ways:
        texts[1] = _latin(words, size)
    if Way.LENGTH in ways:
        texts[1] = _latin(words, _in_the_same_bucket(words, size, longest, is_mail=is_mail))
    if Way.LANGUAGE in ways:
        texts[1] = "".join(words.choice(_OTHERS) for _ in range(size // 3))
    if Way.REPETITION in ways:
        texts[1] = "a" * size
    subjects = [_latin(words, 40)] * 2
    if Way.SUBJECT in ways:
        subjects[1] = _latin(words, 40)
    names = [f"{_latin(words, 12)}.txt"] * 2
    if Way.NAMES in ways:
        names[1] = f"{_latin(words, 12)}.txt"
    flags = Way.FLAGS in ways and not is_mail
    if flags and shortest <= len(_LINK) < size:
        texts[1] = _LINK + texts[1][: size - len(_LINK)]
    data = words.randbytes(600)
    other = words.randbytes(600) if Way.WORDS in ways else data
    return (
        Version(texts[0], subjects[0], names[0], data),
        Version(texts[1], subjects[1], names[1], other, urgent=flags, answers=flags),
    )


def _in_the_same_bucket(words: Random, size: int, longest: int, *, is_mail: bool) -> int:
    """Another length of a text of `size`, for which the envelope is as long, whatever is around it."""
    rest = 2_200 if is_mail else 300  # a mail's head, subject and attachment; a chat's head
    for _ in range(50):
        other = words.randint(1, longest)
        spans = [range(each + rest - 300, each + rest + 300, 20) for each in (size, other)]
        pairs = zip(spans[0], spans[1], strict=True)
        if all(_bucket(one + around) == _bucket(two + around) for one, two in pairs for around in _AROUND):
            return other
    return size


@cache
def _bucket(length: int) -> int:
    return padme(max(length, MIN_BUCKET))


def _latin(words: Random, size: int) -> str:
    return "".join(words.choice(_LATIN) for _ in range(size))
