"""What the demonstration's people have to say to one another: a deal that nobody else should hear of."""

from dataclasses import dataclass
from typing import Final

CONTRACT: Final = b"Section 7: the price is 4.2 million.\n" * 40


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that somebody says. With a `subject` it is a mail, with a `group` it goes to all its members.

    Attributes:
        sender: `user@tenant`.
        to: whom.
        attachment: the name of a file that goes along.
    """

    sender: str
    to: tuple[str, ...]
    text: str
    subject: str | None = None
    group: str | None = None
    attachment: str | None = None


ALICE, CAROL = "alice@acme.example", "carol@acme.example"
BOB, DAVE = "bob@globex.example", "dave@globex.example"

SCRIPT: Final[tuple[Line, ...]] = (
    Line(ALICE, (BOB,), "The offer is 4.2 million. Tell nobody before Friday."),
    Line(BOB, (ALICE,), "Understood. Does Carol know?"),
    Line(CAROL, (DAVE,), "Did you get the draft?"),
    Line(ALICE, (BOB,), "Only the four of us. Heron is the word for it."),
    Line(BOB, (ALICE, CAROL), "Please look at section 7 again.", "Draft of the contract", attachment="contract.txt"),
    Line(DAVE, (CAROL,), "Reading it now. Section 7 is the one to worry about."),
    Line(ALICE, (BOB, CAROL, DAVE), "Heron is go. We sign on Friday.", group="Project Heron"),
    Line(BOB, (ALICE,), "If anybody asks: you did not hear it from me."),
    Line(CAROL, (DAVE,), "My doctor says it is nothing. Thank you for asking."),
    Line(DAVE, (CAROL,), "I am so relieved. See you at the hearing."),
)
#: Who talk when it has to be quick: one device each.
QUICK: Final[tuple[tuple[str, str], ...]] = ((CAROL, DAVE), (DAVE, CAROL))
QUICK_WORDS: Final[tuple[str, ...]] = (
    "Shall we meet?",
    "At noon, by the river.",
    "Who else will be there?",
    "Nobody. Come alone.",
    "The lawyers want another day.",
    "They always do.",
)
