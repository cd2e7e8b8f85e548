"""What a chat shows: lines, with the state of those that are ours. It knows no terminal and no network."""

from dataclasses import dataclass, field
from datetime import datetime

from blindrelay.cli.output import printable
from blindrelay.cli.rendering import TICKS, stage_in
from blindrelay.clients.desk import RETRACTED
from blindrelay.clients.message import Message
from blindrelay.clients.receipts import Receipt, Stage
from blindrelay.clients.records import HistoryEntry
from blindrelay.protocol.address import UserAddress

#: Style and text, as prompt_toolkit wants them.
Fragment = tuple[str, str]


@dataclass(slots=True)
class Line:
    """One line.

    Attributes:
        id: of the letter; None for a remark of the program's.
        number: of a letter of ours, for `/retract`; 0 for everything else.
    """

    at: datetime
    who: str
    text: str = field(repr=False)
    id: bytes | None = None
    number: int = 0
    stage: Stage = Stage.WAITING
    retracted: bool = False
    sealed: bool = False
    receipt: Receipt | None = None

    @property
    def ticks(self) -> str:
        """What became of a letter of ours; empty for anything else."""
        return TICKS[self.stage] if self.number else ""

    @property
    def words(self) -> str:
        """The text, without anything that a terminal would obey."""
        return "(taken back)" if self.retracted else printable(self.text)


class Transcript:
    """The lines of a chat, in the order in which they came."""

    def __init__(self, own: UserAddress) -> None:
        self._own = own
        self._count = 0
        self.lines: list[Line] = []

    def add_history(self, message: Message, entry: HistoryEntry) -> Line:
        """A letter from an earlier conversation."""
        line = self._add(message)
        line.retracted = RETRACTED in entry.marks
        line.stage = stage_in(entry)
        return line

    def add_message(self, message: Message) -> Line:
        """A letter that arrived, or one that another device of ours sent."""
        return self._add(message)

    def add_own(self, at: datetime, text: str, receipt: Receipt, *, sealed: bool) -> Line:
        """A letter that this device has just sent."""
        line = Line(at, str(self._own), text, receipt.id, self._next(), receipt.stage, sealed=sealed, receipt=receipt)
        self.lines.append(line)
        return line

    def remark(self, at: datetime, text: str) -> Line:
        """A word from the program itself."""
        line = Line(at, "", text)
        self.lines.append(line)
        return line

    def find(self, letter: bytes) -> Line | None:
        """The line of a letter."""
        return next((line for line in reversed(self.lines) if line.id == letter), None)

    def own(self, number: int) -> Line | None:
        """The letter of ours with that number; 0: the last one that is not taken back."""
        mine = [line for line in self.lines if line.number and not line.retracted]
        return next((line for line in reversed(mine) if number in (0, line.number)), None)

    def advance(self, letter: bytes, stage: Stage) -> Line | None:
        """A letter of ours has come to `stage`; return its line if that shows."""
        line = self.find(letter)
        if line is None or not line.number:
            return None
        reached = line.receipt.stage if line.receipt is not None else max(line.stage, stage)
        if reached == line.stage:
            return None
        line.stage = reached
        return line

    def retract(self, letter: bytes) -> Line | None:
        """A letter was taken back; return its line if there is one."""
        line = self.find(letter)
        if line is not None:
            line.retracted = True
        return line

    def fragments(self) -> list[Fragment]:
        """All of it, for a terminal."""
        found: list[Fragment] = []
        for line in self.lines:
            found.extend(_fragments(line))
        return found

    def _add(self, message: Message) -> Line:
        number = self._next() if message.sender == self._own else 0
        words = message.text if message.mail is None else f"[mail: {message.subject}] {message.text}"
        line = Line(message.sent_at, str(message.sender), words, message.id, number, sealed=message.sealed)
        self.lines.append(line)
        return line

    def _next(self) -> int:
        self._count += 1
        return self._count


def _fragments(line: Line) -> list[Fragment]:
    clock = f"{line.at.astimezone():%H:%M} "
    if line.id is None:
        return [("fg:ansibrightblack", f"{clock}-- {line.words}\n")]
    who = ("bold fg:ansigreen" if line.number else "bold fg:ansiblue", line.who)
    mark = ("fg:ansicyan", " (sealed)") if line.sealed else ("", "")
    words = ("italic fg:ansibrightblack" if line.retracted else "", f": {line.words}")
    ticks = (
        "fg:ansicyan" if line.stage is Stage.READ else "fg:ansibrightblack",
        f"  #{line.number} {line.ticks}\n" if line.number else "\n",
    )
    return [("fg:ansibrightblack", clock), who, mark, words, ticks]


def as_text(line: Line) -> str:
    """One line, for a pipe."""
    clock = f"{line.at.astimezone():%H:%M}"
    if line.id is None:
        return f"{clock} -- {line.words}"
    number = f"  #{line.number} {line.ticks}" if line.number else ""
    return f"{clock} {line.who}{' (sealed)' if line.sealed else ''}: {line.words}{number}"
