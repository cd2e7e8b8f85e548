"""Both sides read once more, row by row in the same order. The digest of a table is over what this makes of each row, and so
the same whichever engine has it:

    row    = value*
    value  = 0x00 | 0x01 int64 (big-endian) | 0x02 length text (UTF-8) | 0x03 length bytes;   length = uint64, big-endian
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import zip_longest

from blindrelay.relay.copying.report import TableCopied
from blindrelay.relay.copying.shapes import Row, Shape
from blindrelay.relay.errors import CopyDiffers


def compare(shape: Shape, before: Iterable[Row], after: Iterable[Row], told: Callable[[], None]) -> TableCopied:
    """Compare a table's rows; `told` of each. Raises `CopyDiffers` at the first one that is not the same."""
    ours, theirs, count = sha256(), sha256(), 0
    for mine, other in zip_longest(before, after):
        if mine != other:
            raise CopyDiffers(_difference(shape, mine, other))
        ours.update(encoded(mine))
        theirs.update(encoded(other))
        count += 1
        told()
    if ours.digest() != theirs.digest():  # equal values of other types: 1 and True
        raise CopyDiffers(f"{shape.name}: the digests of its rows differ")
    return TableCopied(shape.name, count, ours.hexdigest())


def _difference(shape: Shape, mine: Row | None, other: Row | None) -> str:
    if mine is None:
        return f"{shape.name}: there is a row too many ({shape.name_of(other or ())})"
    if other is None or shape.name_of(mine) != shape.name_of(other):
        return f"{shape.name}: a row is missing, or another is in its place ({shape.name_of(mine)})"
    return f"{shape.name}: a row is not what was read ({shape.name_of(mine)})"


def encoded(row: Row) -> bytes:
    """A row as the digest has it. Raises `TypeError` for a value that no column of ours has."""
    return b"".join(map(_value, row))


def _value(value: object) -> bytes:
    match value:
        case None:
            return b"\0"
        case int():
            return b"\1" + value.to_bytes(8, signed=True)
        case str():
            data = value.encode()
            return b"\2" + len(data).to_bytes(8) + data
        case bytes():
            return b"\3" + len(value).to_bytes(8) + value
    raise TypeError(f"{type(value).__name__} is in no column")
