"""A process that writes to a store by a script and reports what it was told to be committed; the tests kill it.

    python -m support.store_writer DATABASE RESERVE_BYTES ROUNDS

Each round accepts three envelopes and removes one of the round before; every third one empties the WAL. A line on standard
output says what is believed: `committed N`, `full N`, `failed N` (the process ends with code 3).
"""

import sys
import zlib
from pathlib import Path

from blindrelay.relay.errors import StoreFailed
from blindrelay.relay.store.entries import Accepted
from blindrelay.relay.store.sqlite import SqliteStore

PER_ROUND = 3


def batch(number: int) -> list[Accepted]:
    """The envelopes of a round: sequences 3n, 3n + 1, 3n + 2."""
    entries = []
    for sequence in range(number * PER_ROUND, (number + 1) * PER_ROUND):
        payload = sequence.to_bytes(4, "big") * 300
        entries.append(
            Accepted(
                mailbox_id=1 + sequence % 2,
                sequence=sequence,
                sender_id=9,
                message_id=sequence.to_bytes(16, "big"),
                accepted_at=1_700_000_000,
                expires_at=None,
                payload=payload,
                ring_owner=9,
                ring_slot=sequence % 64,
                checksum=zlib.crc32(payload),
                origin=None,
            )
        )
    return entries


def removed(number: int) -> list[tuple[int, int]]:
    """What a round removes: the first envelope of the round before."""
    sequence = (number - 1) * PER_ROUND
    return [(1 + sequence % 2, sequence)] if number > 1 else []


def main() -> None:
    """Write."""
    path, reserve_bytes, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    store = SqliteStore.open(path, reserve_bytes=reserve_bytes)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    for number in range(1, rounds + 1):
        try:
            done = store.commit(batch(number), removed(number))
            sys.stdout.write(f"{'committed' if done.stored else 'full'} {number}\n")
            sys.stdout.flush()
            if number % 3 == 0:
                store.checkpoint()
        except StoreFailed:
            sys.stdout.write(f"failed {number}\n")
            sys.stdout.flush()
            sys.exit(3)
    store.close()


if __name__ == "__main__":
    main()
