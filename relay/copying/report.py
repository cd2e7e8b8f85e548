"""What a copy has done, and what is left for whoever made it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableCopied:
    """A table that is the same on both sides: how many rows, and their SHA-256 (hexadecimal) by `comparing`."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LogCopied:
    """A published log that goes on where it was. `root`: of its checkpoint, hexadecimal."""

    name: str
    entries: int
    root: str


@dataclass(frozen=True, slots=True)
class Beside:
    """Something in the data directory that is not in the database, and what is to be done about it."""

    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class Report:
    """See the module. `numbers`: what is given next, by the name of the sequence."""

    tables: tuple[TableCopied, ...]
    log: LogCopied | None
    numbers: dict[str, int]
    beside: tuple[Beside, ...]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)
