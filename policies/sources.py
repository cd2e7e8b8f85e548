"""Cedar files, policy by policy, each with the place it stands at.

Cedar names policies by position and its errors know no lines; a decision and an error that are to be checked need both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from blindrelay.policies.findings import Place

_BLANK = " \t\r\n"


@dataclass(frozen=True, slots=True)
class PolicySource:
    """The text of one policy, as it stands in its file.

    Attributes:
        file: shown path.
        line, column: of its first annotation or word, counted from 1.
    """

    text: str
    file: str
    line: int
    column: int = 1

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.line, self.column

    def place_of(self, word: str) -> Place:
        """Where `word` stands first, or the beginning."""
        before, found, _ = self.text.partition(word)
        if not found:
            return self.place
        lines = before.split("\n")
        return self.line + len(lines) - 1, len(lines[-1]) + (self.column if len(lines) == 1 else 1)


def split(text: str, file: str) -> Iterator[PolicySource]:
    """Cut a Cedar file after each `;` that is in no string and no comment. What follows the last one is yielded, too."""
    start: int | None = None
    for position, character in _significant(text):
        if start is None and character not in _BLANK:
            start = position
        if character == ";" and start is not None:
            yield _source(text, start, position + 1, file)
            start = None
    if start is not None:
        yield _source(text, start, len(text), file)


def _source(text: str, start: int, end: int, file: str) -> PolicySource:
    return PolicySource(
        text[start:end].rstrip(), file, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    )


def _significant(text: str) -> Iterator[tuple[int, str]]:
    """Characters that are in no comment; of a string only the opening quote."""
    position = 0
    while position < len(text):
        character = text[position]
        if text.startswith("//", position):
            position = _find(text, "\n", position)
            continue
        yield position, character
        position = _after_string(text, position) if character == '"' else position + 1


def _after_string(text: str, position: int) -> int:
    position += 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    return position + 1


def _find(text: str, what: str, position: int) -> int:
    found = text.find(what, position)
    return len(text) if found < 0 else found
