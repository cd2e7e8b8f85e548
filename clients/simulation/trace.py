"""Recorded traffic: a text file with one `sender recipient seconds` per line.

Fields are separated by blanks or tabs. Senders and recipients are names as in an address (numbers are, too); seconds count
from any beginning and never go back. Empty lines and lines that begin with `#` are skipped. Neighbouring lines with the same
sender and time are one letter to several people; the same line twice is two letters.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.errors import Malformed

# Two names of 48 characters and a time need 120 or so. What is longer is another kind of file, and is not read to its end.
MAX_LINE = 1_024
EXPECTED = "expected: sender recipient seconds, such as `17 204 86400`"

_Line = tuple[str, str, float]


class TraceMalformed(Malformed):
    """A trace cannot be used; `line` says where (from 1; 0: the file as a whole)."""

    def __init__(self, source: str, line: int, wrong: str) -> None:
        place = f"{source}, line {line}" if line else source
        super().__init__(f"{place}: {wrong}")
        self.line = line


def read(path: Path, tenants: Sequence[str]) -> Scenario:
    """Read and check a whole trace. People are spread over `tenants` in order of first appearance.

    Raises:
        TraceMalformed: a line is not of the form, goes back in time, or there is none.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(MAX_LINE + 1), b"")
        return parse(lines, tenants, path.name)


def parse(lines: Iterable[bytes], tenants: Sequence[str], source: str = "trace") -> Scenario:
    """The scenario of these lines; see `read`."""
    places: dict[str, int] = {}
    people: list[UserAddress] = []

    def place(name: str, number: int) -> int:
        if name not in places:
            try:
                people.append(UserAddress(tenants[len(people) % len(tenants)], name))
            except Malformed as error:
                raise TraceMalformed(source, number, f"{error}; {EXPECTED}") from None
            places[name] = len(people) - 1
        return places[name]

    written: list[tuple[float, int, int]] = []
    to_self = 0
    for number, (sender, recipient, at) in _checked(lines, source):
        pair = place(sender, number), place(recipient, number)
        if sender == recipient:
            to_self += 1
        else:
            written.append((at, *pair))
    if not written:
        raise TraceMalformed(source, 0, f"there is no message in it; {EXPECTED}")
    return Scenario(tuple(people), tuple(_letters(written)), to_self)


def _checked(lines: Iterable[bytes], source: str) -> Iterator[tuple[int, _Line]]:
    latest, latest_number = -math.inf, 0
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise TraceMalformed(source, number, f"longer than {MAX_LINE} bytes; {EXPECTED}")
        if not line.strip() or line.startswith(b"#"):
            continue
        fields = _fields(line, source, number)
        if fields[2] < latest:
            raise TraceMalformed(
                source,
                number,
                f"its time {fields[2]:g} is before the {latest:g} of line {latest_number}; expected: lines in order of time",
            )
        latest, latest_number = fields[2], number
        yield number, fields


def _fields(line: bytes, source: str, number: int) -> _Line:
    def wrong(words: str) -> NoReturn:
        raise TraceMalformed(source, number, f"{words}; {EXPECTED}")

    try:
        fields = line.decode("ascii").split()
    except UnicodeDecodeError:
        wrong("not plain text")
    if len(fields) != 3:
        wrong(f"{len(fields)} field{'s' if len(fields) != 1 else ''} instead of three")
    try:
        at = float(fields[2])
    except ValueError:
        wrong(f"the time {fields[2][:40]!r} is not a number")
    if not math.isfinite(at):
        wrong(f"the time {fields[2][:40]!r} is not a number of seconds")
    return fields[0], fields[1], at


def _letters(written: list[tuple[float, int, int]]) -> Iterator[Event]:
    """Neighbours with one time and sender become one event; a recipient who stands there twice begins the next."""
    begin = written[0][0]
    at, sender, recipients = written[0][0], written[0][1], [written[0][2]]
    for later, writer, recipient in written[1:]:
        if later == at and writer == sender and recipient not in recipients:
            recipients.append(recipient)
            continue
        yield Event(at - begin, sender, tuple(recipients))
        at, sender, recipients = later, writer, [recipient]
    yield Event(at - begin, sender, tuple(recipients))
