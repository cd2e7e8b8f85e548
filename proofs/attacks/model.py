"""What an attack is, and what comes of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blindrelay.proofs.attacks.stage import Stage


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


#: Carries the attack out, and returns who has noticed it; None when nobody has.
Play = Callable[["Stage"], Awaitable[Noticed | None]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to carry an attack out.

    Attributes:
        does: what the relay does, in a sentence.
        party, check: who must notice it, and by which check.
        witnessed: whether the clients hold the log to an honest witness.
        letter_leaves: whether a letter may leave although the attack is noticed: one that nobody can read then.
    """

    name: str
    does: str
    party: str
    check: str
    play: Play = field(repr=False)
    witnessed: bool = False
    letter_leaves: bool = False


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
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a variant.

    Attributes:
        sees: party and what it sees, in order.
        left: how many envelopes left the victim's client after the attack had begun.
        read: what the attacker could read of them.
        seconds: from the relay's first lie until the victim's client had sent the letter, or refused to.
    """

    attack: Attack
    variant: Variant
    noticed: Noticed | None
    sees: tuple[tuple[str, str], ...]
    left: int
    read: tuple[str, ...] = field(repr=False)
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether it was noticed by whom and by what it must be, and the attacker got nothing."""
        return (
            self.noticed is not None
            and (self.noticed.party, self.noticed.check) == (self.variant.party, self.variant.check)
            and not self.read
            and (not self.left or self.variant.letter_leaves)
        )

    def record(self) -> dict[str, Any]:
        """For programs."""
        noticed = self.noticed
        return {
            **self.attack.record(self.variant),
            "caught": self.caught,
            "noticed_by": noticed and noticed.party,
            "check": noticed and noticed.check,
            "error": noticed and noticed.error,
            "sees": [{"party": party, "what": what} for party, what in self.sees],
            "envelopes_that_left": self.left,
            "letters_read": len(self.read),
            "seconds": round(self.seconds, 3),
        }
