"""What an attack is, and what comes of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Loss(StrEnum):
    """What the attacker has got of it."""

    NOTHING = "the attacker got nothing"
    UNREADABLE = "a letter was sent that nobody can read"
    READ = "what was sent until then was read"


@dataclass(frozen=True, slots=True)
class Noticed:
    """Somebody has noticed the attack.

    Attributes:
        party: whose software it was (`alice's client`).
        check: the check that failed.
        error: its sentence, word for word.
    """

    party: str
    check: str
    error: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What has happened.

    Attributes:
        noticed: by whom it was noticed first, and how; None when by nobody.
        sees: party and what it sees, in order.
        left: how many envelopes have left the victim's client since the attack began.
        read: what the attacker could read.
        seconds: from the relay's first lie until somebody had noticed, or the victim was done.
    """

    noticed: Noticed | None
    sees: tuple[tuple[str, str], ...]
    seconds: float
    left: int = 0
    read: tuple[str, ...] = field(default=(), repr=False)

    @property
    def loss(self) -> Loss:
        """What the attacker has got."""
        if self.read:
            return Loss.READ
        return Loss.UNREADABLE if self.left else Loss.NOTHING


#: Carries the attack out, in an empty folder.
Play = Callable[[Path], Awaitable[Scene]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to carry an attack out.

    Attributes:
        does: what the relay does, in a sentence.
        party, check: who must notice it, and by which check.
        loss: what is lost until then. Where it is not nothing, the attack is one that can be found out, and not prevented.
    """

    name: str
    does: str
    party: str
    check: str
    play: Play = field(repr=False)
    loss: Loss = Loss.NOTHING


@dataclass(frozen=True, slots=True)
class Attack:
    """Something that a malicious relay can try. `gain` says what for: "to read ..."."""

    name: str
    title: str
    gain: str
    variants: tuple[Variant, ...]

    def record(self, variant: Variant) -> dict[str, Any]:
        """A way of carrying it out, for programs."""
        return {
            "attack": self.name,
            "variant": variant.name,
            "title": self.title,
            "gain": self.gain,
            "does": variant.does,
            "noticed_by": variant.party,
            "check": variant.check,
            "loss": variant.loss.name.lower(),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a variant."""

    attack: Attack
    variant: Variant
    scene: Scene

    @property
    def caught(self) -> bool:
        """Whether it was noticed by whom and by what it must be, and no more was lost until then than is said."""
        noticed, variant = self.scene.noticed, self.variant
        return (
            noticed is not None
            and (noticed.party, noticed.check) == (variant.party, variant.check)
            and self.scene.loss is variant.loss
        )

    def record(self) -> dict[str, Any]:
        """For programs."""
        noticed = self.scene.noticed
        return {
            **self.attack.record(self.variant),
            "caught": self.caught,
            "noticed_by": noticed and noticed.party,
            "check": noticed and noticed.check,
            "error": noticed and noticed.error,
            "loss": self.scene.loss.name.lower(),
            "sees": [{"party": party, "what": what} for party, what in self.scene.sees],
            "envelopes_that_left": self.scene.left,
            "seconds": round(self.scene.seconds, 3),
        }
