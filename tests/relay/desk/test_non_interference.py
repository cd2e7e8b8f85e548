"""Lock 4: what people write has no influence on what is disclosed. Two relays that differ in nothing else give the same."""

import sqlite3
from pathlib import Path
from random import Random

import pytest

from blindrelay.clients.authority.package import Package
from blindrelay.policies.package import FileName
from blindrelay.relay.desk.package import PackageMaker
from blindrelay.relay.ledger import HOUR
from blindrelay.relay.store.sqlite import SqliteStore
from support.disclosure import NOW, Desk, add_connections, add_traffic, decision, enrol, user

SIZE = 2_048
WAITING = 6


def sealed(seed: int, number: int = WAITING) -> list[bytes]:
    """What waits in a relay's mailboxes: envelopes of one size, with other bytes in them for each seed."""
    return [Random(seed).randbytes(SIZE) for _ in range(number)]


def disclosed(folder: Path, desk: Desk, waiting: list[bytes]) -> bytes:
    """What a package about two users holds, of a relay in which `waiting` waits for somebody."""
    folder.mkdir()
    store = SqliteStore.open(folder / "relay.db", reserve_bytes=0)
    try:
        enrol(store, last_seen_day=19_670)
        add_traffic(store, *((1 + number % 2, 3, NOW - number) for number in range(len(waiting))))
        add_connections(store, (1, NOW - 2 * HOUR, None), (3, NOW - HOUR, NOW))
        _put(folder / "relay.db", waiting)
        PackageMaker(store.metadata_reader, desk.identity).write(
            desk.order(decision(user("bob"), user("ann"))), folder / "package"
        )
    finally:
        store.close()
    with Package.open(folder / "package", desk.key, desk.certificate) as package:
        return b"".join(data for name, data in package.files() if name is not FileName.SIGNATURE)


def _put(database: Path, waiting: list[bytes]) -> None:
    connection = sqlite3.connect(database)
    with connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(envelope)")]
        assert "payload" in columns
        for number, payload in enumerate(waiting, 1):
            blobs = {"message_id": number.to_bytes(16, "big"), "filler": b"", "payload": payload}
            values = dict.fromkeys(columns, number) | blobs
            marks = ", ".join("?" * len(columns))
            connection.execute(f"INSERT INTO envelope VALUES ({marks})", [values[name] for name in columns])
    connection.close()


@pytest.mark.parametrize("seed", range(1, 4))
def test_what_people_write_has_no_influence_on_a_package(seed: int, tmp_path: Path) -> None:
    """Byte for byte, but for the signature, which is another each time: only what waits in the relays differs."""
    desk = Desk(tmp_path)

    assert disclosed(tmp_path / "one", desk, sealed(0)) == disclosed(tmp_path / "other", desk, sealed(seed))


def test_metadata_do_have_an_influence(tmp_path: Path) -> None:
    """The comparison above can fail: one message fewer, and the packages differ."""
    desk = Desk(tmp_path)

    assert disclosed(tmp_path / "one", desk, sealed(0)) != disclosed(tmp_path / "other", desk, sealed(0, WAITING - 1))
