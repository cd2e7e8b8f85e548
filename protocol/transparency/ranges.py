"""Of which subtrees a proof is made (RFC 6962, 2.1.1 and 2.1.2), as ranges of leaves: whoever has their hashes has the proof.

Each range is a complete subtree, or the right edge of the tree.
"""

from collections.abc import Callable
from dataclasses import dataclass

from blindrelay.protocol.transparency.merkle import node_hash


@dataclass(frozen=True, slots=True)
class Range:
    """The leaves from `start` up to and without `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Subtree:
    """A complete subtree above 2**height leaves, the `index`-th of its height."""

    height: int
    index: int


def inclusion(leaf: int, size: int) -> list[Range]:
    """The proof that a leaf is in a tree.

    Raises:
        ValueError: it is not in a tree of `size`.
    """
    if not 0 <= leaf < size:
        raise ValueError(f"there is no leaf {leaf} in a tree of {size}")
    path: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf < middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    return path[::-1]


def consistency(old_size: int, new_size: int) -> list[Range]:
    """The proof that a tree begins with an older one; nothing where nothing is to be proved.

    Raises:
        ValueError: the older tree is the larger one.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} does not come after one of {old_size}")
    if old_size in (0, new_size):
        return []
    path: list[Range] = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    if start:  # otherwise it is the old root itself, which the verifier has
        path.append(Range(start, end))
    return path[::-1]


def subtrees(wanted: Range) -> list[Subtree]:
    """The complete subtrees that a range of a proof consists of, from the left to the right, each smaller than the last."""
    found: list[Subtree] = []
    start = wanted.start
    while start < wanted.end:
        height = (wanted.end - start).bit_length() - 1
        if start & ((1 << height) - 1):
            raise ValueError(f"{wanted} is no range of a proof")
        found.append(Subtree(height, start >> height))
        start += 1 << height
    return found


def hash_of(wanted: Range, hash_of_subtree: Callable[[Subtree], bytes]) -> bytes:
    """The hash above a range that is not empty."""
    *rest, result = (hash_of_subtree(subtree) for subtree in subtrees(wanted))
    for left in reversed(rest):
        result = node_hash(left, result)
    return result


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
