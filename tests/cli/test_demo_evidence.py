"""What is said about a relay's disk is read from the disk."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from blindrelay.cli.demo_evidence import Envelope, Evidence, RelayDisk, can_decrypt
from blindrelay.clients.errors import TimedOut
from blindrelay.protocol.address import UserAddress
from blindrelay.relay.store import tables

BOB = UserAddress("globex.example", "bob")


@pytest.fixture
def disk(tmp_path: Path) -> RelayDisk:
    """A relay's directory in which an envelope waits for bob's phone, and another for carol."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'relay.db'}")
    tables.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "relay.db")) as database, database:
        database.execute("INSERT INTO tenant VALUES ('globex.example', x'00', 1, NULL, NULL)")
        for account, user in ((1, "bob"), (2, "carol")):
            database.execute(
                'INSERT INTO device (account_id, tenant, "user", device, certificate, registered_day) '
                "VALUES (?, 'globex.example', ?, 'phone', x'00', 1)",
                (account, user),
            )
            payload = bytes([account]) * 1_024 + bytes(1_016)
            database.execute(
                "INSERT INTO envelope VALUES (?, 0, ?, 5, 9, 1024, x'', ?)", (account, bytes([account]) * 16, payload)
            )
            database.execute(
                "INSERT INTO traffic VALUES (?, ?, NULL, ?, 5, 1024)", (account, bytes([account]) * 16, account)
            )
    return RelayDisk(tmp_path)


async def test_envelope_and_record_are_those_of_the_user(disk: RelayDisk) -> None:
    """The envelope is shown without the zeros around it, and the record with the inventory's names."""
    evidence = await disk.wait_for(BOB, 1, 5)
    (envelope,) = evidence.envelopes
    assert envelope == Envelope("globex.example/bob/phone", b"\1" * 16, b"\1" * 1_024)
    (record,) = evidence.traffic
    assert dict(record) == {
        "record number": "1",
        "message id": "01" * 16,
        "sender's account": "none",
        "recipient's account": "1 (globex.example/bob/phone)",
        "time of acceptance": "1970-01-01 00:00:05",
        "padded size": "1024",
    }


async def test_what_is_still_there_is_not_called_gone(disk: RelayDisk) -> None:
    """An envelope that waits, or whose bytes are on the disk, is found."""
    evidence = await disk.wait_for(BOB, 1, 5)
    with pytest.raises(TimedOut):
        await disk.wait_gone(evidence, 0.2)
    with pytest.raises(TimedOut):
        await disk.wait_quiet(0.2)
    with pytest.raises(TimedOut):
        await disk.wait_for(BOB, 2, 0.2)
    await disk.wait_gone(Evidence((Envelope("x", b"", b"\7" * 64),), ()), 0.2)


def test_search_looks_into_every_file(disk: RelayDisk, tmp_path: Path) -> None:
    """Logs, keys, anything: a word in any of them is found."""
    assert disk.search([b"needle"])[0] == []
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"hay needle hay")
    assert disk.search([b"needle", b"pin"])[0] == [b"needle"]


def test_process_with_the_ratchet_in_memory_is_recognised() -> None:
    """This very process can decrypt, and it shows; a process that is none says nothing."""
    import vodozemac  # noqa: F401

    assert can_decrypt(os.getpid()) in (True, None)
    assert can_decrypt(2**31 - 1) is None
