"""Cutting inside COMMIT."""

import random

import pytest

from blindrelay.proofs.chaos.matrix.commits import CommitCutter

SYNC = b"S\x00\x00\x00\x04"


@pytest.fixture
def cutter() -> CommitCutter:
    """Cuts three times."""
    return CommitCutter(random.Random(1), 3)


def cuts(cutter: CommitCutter, connection: int, said: bytes) -> bool:
    """Whether it ends the connection, if it is said often enough."""
    return any(cutter(connection, said) is not None for _ in range(20))


def test_a_commit_is_cut(cutter: CommitCutter) -> None:
    """The word."""
    assert cuts(cutter, 1, b"Q\x00\x00\x00\x0bCOMMIT\x00")


def test_the_end_of_a_batch_is_a_commit(cutter: CommitCutter) -> None:
    """The call commits by itself; after the first, only its number is said."""
    assert not cuts(cutter, 1, b"B...E..." + SYNC), "nobody knows yet that this connection takes batches"
    cutter(1, b"P\x00\x00SELECT places FROM take_batch($1)")
    assert cuts(cutter, 1, b"B...E..." + SYNC)


def test_nothing_else_is_cut(cutter: CommitCutter) -> None:
    """Reading commits nothing, nor does the first half of a batch."""
    cutter(1, b"take_batch(")
    assert not cuts(cutter, 2, b"SELECT 1" + SYNC)
    assert not cuts(cutter, 1, b"B... half of a batch")


def test_it_is_done_as_often_as_was_asked(cutter: CommitCutter) -> None:
    """And then never again."""
    for _ in range(200):
        cutter(1, b"COMMIT")
    assert len(cutter.cuts) == 3
