"""A batch of envelopes as one call of `take_batch` (see `relay/store/schema/sql/take_batch.sql`)."""

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.types.numeric import Int8

from blindrelay.relay.store.entries import Accepted, Refusal
from blindrelay.relay.store.postgres.arrays import Bytes, Numbers

#: In the numbers of `take_batch`.
_REFUSALS: Final = (None, Refusal.KNOWN, Refusal.ID_USED, Refusal.CLOSED, Refusal.NO_ROOM, Refusal.MOVED)
_CALL: Final = f"SELECT places, refusals, readers FROM take_batch({', '.join(['%b'] * 15)})"  # noqa: S608


def take(
    connection: "psycopg.Connection[Any]",
    accepted: Sequence[Accepted],
    removed: Sequence[tuple[int, int]],
    trim: Sequence[int],
    quota: tuple[int, int],
) -> None:
    """Carry out the batch, and write into each of `accepted` what became of it. Durable on return: `connection` commits by
    itself. `removed` is in order, so that two nodes do not wait for one another. `quota`: envelopes and bytes of a mailbox."""
    parameters = (
        Numbers.of([entry.mailbox_id for entry in accepted]),
        Bytes.of([entry.message_id for entry in accepted]),
        Numbers.of([entry.sender_id or 0 for entry in accepted]),
        Numbers.of([entry.accepted_at for entry in accepted]),
        Numbers.of([entry.expires_at or 0 for entry in accepted]),
        Numbers.of([len(entry.payload) for entry in accepted]),
        Bytes.of([entry.payload for entry in accepted]),
        Numbers.of([entry.ring_owner for entry in accepted]),
        Numbers.of([entry.checksum for entry in accepted]),
        Numbers.of([entry.epoch for entry in accepted] if any(entry.epoch for entry in accepted) else ()),
        Numbers.of([mailbox for mailbox, _ in removed]),
        Numbers.of([sequence for _, sequence in removed]),
        Numbers.of(trim),
        Int8(quota[0]),
        Int8(quota[1]),
    )
    answer = connection.execute(_CALL, parameters, prepare=True, binary=True).fetchone()
    places, refusals, readers = answer or ((), None, None)
    for entry, place, reader in zip(accepted, places, readers or (), strict=True):
        entry.sequence = place
        entry.reader = reader
    if refusals is not None:
        for entry, number in zip(accepted, refusals, strict=True):
            entry.refusal = _REFUSALS[number]
