"""What the checks of a proof cannot see, in plain words: SECURITY.md has the same, and so has every report."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that a proof does not show, however green it is."""

    title: str
    text: str


CANNOT_SEE: Final = (
    Limit(
        "Leaks under a key that nobody here has.",
        "Canaries are searched for in every form that needs no key, and with every key that the relay holds. What is encrypted "
        "to somebody else looks like any other random bytes. The wire tap finds an envelope to one more reader; it does not "
        "find bits that are hidden in what is random anyway, such as a nonce.",
    ),
    Limit(
        "Leaks that lose most of what was written.",
        "A digest, a summary, a mood, one bit a day: what is no text any more is not found as text. Non-interference finds it "
        "where it changes what the relay keeps, gives or sends, and nowhere else.",
    ),
    Limit(
        "Leaks that are the same in both worlds.",
        "Non-interference compares two worlds. What comes out of both alike, whatever people write, is no difference to it.",
    ),
    Limit(
        "Endpoints.",
        "Whoever has an unlocked device, or a program in it, reads what its owner reads. The proof's devices are honest.",
    ),
    Limit(
        "Client updates.",
        "A proof is of the code that ran. A client that is replaced tomorrow, for everybody or for one person, is another one.",
    ),
    Limit(
        "Another relay than this one.",
        "A run examines a relay that it has started itself, from what is installed here. Whether an operator runs the same is "
        "not shown. `--against` sees one relay's disk at one moment, and what it does in between is not on it.",
    ),
    Limit(
        "What did not happen in the run.",
        "A run takes minutes. Code that waits for a date, a person or a secret sign has not run in it.",
    ),
    Limit(
        "The ground that it stands on.",
        "Processor, kernel, Python and the cryptographic libraries are trusted, and so is the machine that the proof runs on: "
        "whoever controls that controls what the proof says.",
    ),
    Limit(
        "Who speaks with whom, and when.",
        "The relay needs some of it to deliver. It is in the metadata inventory, and not a secret of anybody's. What somebody "
        "who watches makes of it is measured, by an observer of ours; another one may find more.",
    ),
)
