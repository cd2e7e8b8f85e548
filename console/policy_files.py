"""The policies as files, for people: where the one that decided begins and ends."""

from pathlib import Path
from typing import Final

from blindrelay.console.errors import ConsoleError
from blindrelay.policies.locations import SHIPPED
from blindrelay.protocol.statements import Wire

_PREFIX: Final = "packs/"


class NoSuchPolicy(ConsoleError):
    """There is no such file, or it has no such line."""


class PolicyShown(Wire):
    """A file, with the lines of one policy in it, from 1, both included."""

    path: str
    lines: tuple[str, ...]
    first: int
    last: int


def show(location: str) -> PolicyShown:
    """What is at `packs/us/stored.cedar:12`, as a decision names it. Raises `NoSuchPolicy`."""
    path, _, number = location.rpartition(":")
    files = {f"{_PREFIX}{file.relative_to(SHIPPED).as_posix()}": file for file in _files()}
    if path not in files or not number.isdecimal():
        raise NoSuchPolicy("there is no such file among the policies that come along")
    lines = files[path].read_text("utf-8").splitlines()
    if not 1 <= int(number) <= len(lines):
        raise NoSuchPolicy("the file has no such line")
    first, last = _extent(lines, int(number) - 1, is_cedar=path.endswith(".cedar"))
    return PolicyShown(path=path, lines=tuple(lines), first=first + 1, last=last + 1)


def _files() -> list[Path]:
    return [*SHIPPED.glob("*/*.cedar"), *SHIPPED.glob("*/manifest.yaml")]


def _extent(lines: list[str], place: int, *, is_cedar: bool) -> tuple[int, int]:
    """A Cedar policy ends with its semicolon, an instrument of a manifest where the next one begins."""
    first = last = place
    if is_cedar:
        while not lines[last].rstrip().endswith(";") and last < len(lines) - 1:
            last += 1
        while first > 0 and lines[first - 1].startswith("@"):
            first -= 1
        return first, last
    indent = len(lines[place]) - len(lines[place].lstrip())
    while last < len(lines) - 1 and _is_within(lines[last + 1], indent):
        last += 1
    while last > place and not lines[last].strip():
        last -= 1
    return first, last


def _is_within(line: str, indent: int) -> bool:
    return not line.strip() or len(line) - len(line.lstrip()) > indent
