"""How an envelope lies in SQLite's file (`relay/store/layout.py`)."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.sizes import BUCKETS, MAX_ENVELOPE
from blindrelay.relay.store.layout import FILLER, PAGE_BYTES, SLACK, padded
from blindrelay.relay.store.sqlite import SqliteStore
from support.stored import entry, on_disk

U = PAGE_BYTES
M = (U - 12) * 32 // 255 - 23


def varint(value: int) -> int:
    """The length of SQLite's varint for `value`."""
    return max(1, -(-value.bit_length() // 7))


def kept_in_the_tree(columns: int, payload: int) -> int:
    """How many bytes of the record stay in the b-tree page: the file format's section 1.6, for a record of `P` bytes."""
    header = 1 + 6 + varint(12 + 2 * FILLER) + varint(12 + 2 * payload)
    record = header + columns + FILLER + payload
    assert record > U - 35, "it overflows"
    kept = M + (record - M) % (U - 4)
    return (kept if kept <= U - 35 else M) - header - columns - FILLER


@given(st.integers(0, MAX_ENVELOPE), st.integers(16 + 2, 16 + 5 * 8))
def test_payload_stays_out_of_the_tree(length: int, columns: int) -> None:
    """Whatever its length and that of the numbers beside it, no more than the slack of a payload is in a page that moves."""
    assert 0 <= kept_in_the_tree(columns, len(padded(bytes(length)))) <= SLACK


@pytest.mark.parametrize("length", [*sorted(BUCKETS)[:8], 2_048, 4_096, MAX_ENVELOPE])
def test_padding_is_zeros_at_the_end(length: int) -> None:
    """What is added can be cut off again."""
    payload = random.Random(length).randbytes(length)

    assert padded(payload)[:length] == payload
    assert not any(padded(payload)[length:])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sizes", [(1_024,), (1_024, 1_088, 2_048, 3_072), (1_024, 16_384, 65_536)], ids=str)
def test_removed_envelopes_are_gone_from_the_file(tmp_path: Path, seed: int, sizes: tuple[int, ...]) -> None:
    """After the recipient's acknowledgement nothing of an envelope is left in database, WAL or free pages."""
    chance = random.Random(seed)
    store = SqliteStore.open(tmp_path / "relay.db", reserve_bytes=0)
    marks: dict[tuple[int, int], bytes] = {}
    waiting: set[tuple[int, int]] = set()
    sequence = 0
    for _ in range(80):
        acknowledged = {key for key in waiting if chance.random() < 0.15}
        waiting -= acknowledged
        arrived = []
        for _ in range(chance.randrange(12)):
            sequence += 1
            key = (1 + sequence % 7, sequence)
            size = chance.choice(sizes)
            marks[key] = b"<%010d>" % chance.randrange(10**10)
            # After the slack, the same 12 bytes all over: whatever piece of it stayed behind would show.
            payload = bytes(SLACK) + (marks[key] * (size // 12 + 1))[: size - SLACK]
            arrived.append(entry(sequence, mailbox=key[0], payload=payload))
            waiting.add(key)
        store.commit(arrived, sorted(acknowledged))
        if chance.random() < 0.1:
            store.checkpoint()
    assert store.checkpoint()

    left = on_disk(store.path)
    store.close()
    assert [key for key in marks if key not in waiting and marks[key] in left] == []
    assert [key for key in waiting if marks[key] not in left] == []
    assert len(marks) > 300
