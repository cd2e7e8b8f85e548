"""A SQLite file page by page: free pages, rows that are too long for one, and what looks encrypted."""

import contextlib
import json
import random
import secrets
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.evidence.pages import Pages, frames, images, looks_encrypted, may_hold_rest, stretches


@pytest.mark.parametrize("size", [1_024, 4_096, 65_536])
def test_every_page_is_accounted_for(size: int, tmp_path: Path) -> None:
    """By SQLite's own count: pages of long rows, and free ones."""
    path = tmp_path / "some.db"
    payloads = {number: secrets.token_bytes(number * 377) for number in range(100)}
    with contextlib.closing(sqlite3.connect(path)) as database:
        for pragma in (f"page_size = {size}", "secure_delete = ON"):
            database.execute(f"PRAGMA {pragma}")
        with database:
            database.execute("CREATE TABLE other (x)")
            database.execute("CREATE TABLE letter (body BLOB)")
            database.executemany("INSERT INTO letter VALUES (?)", ((body,) for body in payloads.values()))
        with database:
            database.execute("DELETE FROM letter WHERE rowid % 3 = 0")
        ((free,),) = database.execute("PRAGMA freelist_count")
        ((root,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'letter'")
        left = [bytes(row[0]) for row in database.execute("SELECT body FROM letter")]

    with Pages(path) as pages:
        spilled, empty = set(pages.spilled(root)), set(pages.free())
        assert pages.count == path.stat().st_size // size
        assert not spilled & empty
        assert not any(any(pages[number]) for number in empty)
        assert 0 <= free - len(empty) <= 1 + free // 64  # pages with the numbers of others are not empty
        assert all(may_hold_rest(number, pages[number]) for number in spilled)
        # What lies in pages of its own is there, to the byte: each is filled but for its first four, and the last of a row.
        assert all(
            any(pages[number][4:260] in body for body in left) for number in spilled if any(pages[number][256:260])
        )
        assert dict(images(path, size)) == {number: pages[number] for number in range(1, pages.count + 1)}


def test_a_log_has_every_page_that_was_written(tmp_path: Path) -> None:
    """Those that were written again and again as well."""
    path = tmp_path / "some.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        with database:
            database.execute("CREATE TABLE letter (body BLOB)")
        for text in (b"the first", b"the second"):
            with database:
                database.execute("INSERT INTO letter VALUES (?)", (text,))
        found = list(frames(path.with_name("some.db-wal"), 4_096))

    assert [number for number, _ in found] == [1, 2, 2, 2]
    assert b"the second" in found[-1][1]
    assert b"the second" not in found[-2][1]
    assert list(frames(tmp_path / "none", 4_096)) == []


@given(st.integers(512, 4_096))
def test_ciphertext_looks_encrypted(length: int) -> None:
    """Whatever its length, with zeros behind it or not. It is the same for each length: of 512 bytes one in 2,500 is missed."""
    data = random.Random(length).randbytes(length - 1) + b"\1"
    assert looks_encrypted(data)
    assert looks_encrypted(data + bytes(700))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(1_020),
        secrets.token_bytes(500),
        b"A letter that nobody has encrypted. " * 40,
        json.dumps({str(number): secrets.token_hex(16) for number in range(40)}).encode(),
        secrets.token_bytes(300) + b"-" * 720,
    ],
    ids=["nothing", "zeros", "too short", "text", "JSON", "a part"],
)
def test_other_things_do_not(data: bytes) -> None:
    """Text, JSON with keys in it, short things."""
    assert not looks_encrypted(data)


def test_stretches_are_between_zeros() -> None:
    """Single zeros are part of them."""
    assert stretches(bytes(9) + b"a\0b" + bytes(8) + b"c" + bytes(20)) == [b"a\0b", b"c"]
    assert stretches(bytes(40)) == []
