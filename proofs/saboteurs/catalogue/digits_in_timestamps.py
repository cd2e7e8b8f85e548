"""Seconds of the times in a package say something else: two digits a record are enough for a word a minute.

Modelled on subliminal channels (Simmons, 1983) and on covert timing channels: whatever is free to be chosen carries.
"""

from itertools import count

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies import package

    text, numbers = package._text, count()
    secret = b"meet me at noon by the river"

    def carrying(seconds: int) -> str:
        return text(seconds - seconds % 60 + secret[next(numbers) % len(secret)] % 60)

    package._text = carrying


SABOTEUR = Saboteur(
    name="digits-in-timestamps",
    title="the seconds of a package's times are chosen to carry something else",
    lock=Lock.FORM,
    modelled_on="subliminal channels (Simmons, 1983)",
    caught_by=frozenset({("forms", "unexplained")}),
    in_relay=_in_relay,
)
