"""Arrays as PostgreSQL reads them, made at once.

`psycopg` turns a list into an array element by element, in Python. A batch of 200 envelopes is ten arrays: that took as long as
the database needed for the whole batch.

The format is that of `array_recv`: dimensions, whether there are nulls, the type of the elements, then length and lower bound
of the dimension; each element has its length before it. All numbers are big-endian.
"""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Final

from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_INT8, _BYTEA = 20, 17
_INT8_ARRAY, _BYTEA_ARRAY = 1_016, 1_001
_EMPTY: Final = struct.Struct(">iii")
_HEADER: Final = struct.Struct(">iiiii")
_LENGTH: Final = struct.Struct(">i")


class Numbers(bytes):
    """An array of `bigint`, encoded."""

    __slots__ = ()

    @classmethod
    def of(cls, numbers: Sequence[int]) -> "Numbers":
        """Encode `numbers`, each of which fits 64 bits with its sign."""
        count = len(numbers)
        if not count:
            return cls(_EMPTY.pack(0, 0, _INT8))
        values = [8] * (2 * count)
        values[1::2] = numbers
        return cls(_HEADER.pack(1, 0, _INT8, count, 1) + _elements(count).pack(*values))


class Bytes(bytes):
    """An array of `bytea`, encoded."""

    __slots__ = ()

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "Bytes":
        """Encode `values`."""
        if not values:
            return cls(_EMPTY.pack(0, 0, _BYTEA))
        parts = [b""] * (2 * len(values) + 1)
        parts[0] = _HEADER.pack(1, 0, _BYTEA, len(values), 1)
        parts[1::2] = [_LENGTH.pack(len(value)) for value in values]
        parts[2::2] = values
        return cls(b"".join(parts))


@cache
def _elements(count: int) -> struct.Struct:
    return struct.Struct(f">{'iq' * count}")


class _Encoded(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> Buffer:
        return obj


class _NumbersDumper(_Encoded):
    oid = _INT8_ARRAY


class _BytesDumper(_Encoded):
    oid = _BYTEA_ARRAY


def register(adapters: AdaptersMap) -> None:
    """Let a connection send `Numbers` and `Bytes`."""
    adapters.register_dumper(Numbers, _NumbersDumper)
    adapters.register_dumper(Bytes, _BytesDumper)
