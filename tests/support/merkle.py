"""RFC 6962, 2.1, word for word: recursive, slow and obvious. What the fast code is held to.

The names are the RFC's: MTH(D[n]), PATH(m, D[n]), PROOF(m, D[n]), SUBPROOF(m, D[n], b); D[a:b] are the bounds here, so that
what has been hashed once is kept.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Final

from hypothesis import strategies as st


class Log:
    """The list of entries D, and what the RFC defines over it."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = entries
        self.mth = cache(self._mth)

    def _mth(self, start: int, end: int) -> bytes:
        n = end - start
        if n == 0:
            return sha256(b"").digest()
        if n == 1:
            return sha256(b"\x00" + self.entries[start]).digest()
        k = largest_power_of_two_below(n)
        return sha256(b"\x01" + self.mth(start, start + k) + self.mth(start + k, end)).digest()

    def root(self, size: int) -> bytes:
        return self.mth(0, size)

    def path(self, m: int, size: int) -> list[bytes]:
        return self._path(m, 0, size)

    def _path(self, m: int, start: int, end: int) -> list[bytes]:
        n = end - start
        if n == 1:
            return []
        k = largest_power_of_two_below(n)
        if m < k:
            return [*self._path(m, start, start + k), self.mth(start + k, end)]
        return [*self._path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, size: int) -> list[bytes]:
        """For 0 < m < size, as in the RFC."""
        return self._subproof(m, 0, size, complete=True)

    def _subproof(self, m: int, start: int, end: int, *, complete: bool) -> list[bytes]:
        n = end - start
        if m == n:
            return [] if complete else [self.mth(start, end)]
        k = largest_power_of_two_below(n)
        if m <= k:
            return [*self._subproof(m, start, start + k, complete=complete), self.mth(start + k, end)]
        return [*self._subproof(m - k, start + k, end, complete=False), self.mth(start, start + k)]

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Of https://c2sp.org/tlog-tiles, "Merkle Tree": MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])."""
        step = 256**level
        return b"".join(self.mth((index * 256 + i) * step, (index * 256 + i + 1) * step) for i in range(width))


def largest_power_of_two_below(n: int) -> int:
    """k, with k < n <= 2k."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def sides(m: int, size: int) -> str:
    """On which side each sibling of PATH(m, D[size]) is, the lowest first."""
    if size == 1:
        return ""
    k = largest_power_of_two_below(size)
    return sides(m, k) + "r" if m < k else sides(m - k, size - k) + "l"


def steps(m: int, size: int, *, complete: bool = True) -> str:
    """The same for PROOF(m, D[size]): `r` continues the new tree alone, `l` both, `.` is the node where they part."""
    if m == size:
        return "" if complete else "."
    k = largest_power_of_two_below(size)
    if m <= k:
        return steps(m, k, complete=complete) + "r"
    return steps(m - k, size - k, complete=False) + "l"


#: A log whose entries are all different.
LOG: Final = Log([b"entry %d" % number for number in range(70_000)])


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """Something that a parser would take, after up to four slips: a byte changed, left out or put in, a part doubled."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        to = draw(st.integers(at, min(len(data), at + 40)))
        data[at:to] = draw(
            st.sampled_from([b"", bytes(data[at:to]) * 2])
            | st.binary(max_size=3)
            | st.sampled_from([b"\n", b"\n\n", b"0", b" ", b"+", b"=", "— ".encode()])
        )
    return bytes(data)
