"""Envelopes for the store, and what its files hold."""

import os
import zlib
from pathlib import Path

from blindrelay.relay.store.entries import Accepted


def entry(
    sequence: int,
    *,
    mailbox: int = 1,
    sender: int | None = 2,
    payload: bytes = b"x" * 1_024,
    accepted_at: int = 1_700_000_000,
    expires_at: int | None = None,
    slot: int | None = None,
) -> Accepted:
    """An envelope for `mailbox`; its ring row is that of its sender, or of the sealed senders to the mailbox."""
    return Accepted(
        mailbox_id=mailbox,
        sequence=sequence,
        sender_id=sender,
        message_id=os.urandom(16),
        accepted_at=accepted_at,
        expires_at=expires_at,
        payload=payload,
        ring_owner=-mailbox if sender is None else sender,
        ring_slot=sequence % 256 if slot is None else slot,
        checksum=zlib.crc32(payload),
        origin=None,
    )


def on_disk(database: Path) -> bytes:
    """All bytes of the database, its WAL and its shared memory."""
    return b"".join(path.read_bytes() for path in sorted(database.parent.glob(f"{database.name}*")))
