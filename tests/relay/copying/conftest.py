"""What the tests of copying share: a data directory of a relay that has stopped, and an empty database."""

from pathlib import Path

import pytest

from blindrelay.relay.store import tables
from blindrelay.relay.store.sqlite import SqliteStore
from support.store_writer import batch


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A data directory with a row or more in each table that an order does not make."""
    folder = tmp_path / "old"
    folder.mkdir(mode=0o700)
    store = SqliteStore.open(folder / "relay.db", reserve_bytes=0)
    store.commit([], [], [_fill])
    store.commit(batch(1), [])
    store.commit(batch(2), [(2, 3)])
    store.close()
    return folder


def _fill(connection: object) -> None:
    put = connection.execute  # type: ignore[attr-defined]
    for name in ("acme.example", "Ångström.example", "zebra.example"):
        put(tables.tenant.insert().values(name=name, root=name.encode(), registered_day=1))
    for number in (1, 2, 9):
        put(
            tables.device.insert().values(
                account_id=number,
                tenant="acme.example",
                user=f"u{number}",
                device="d",
                certificate=b"\0" * number,
                registered_day=20_000,
            )
        )
    put(tables.prekey.insert().values(account_id=1, is_fallback=1, body=b"body", signature=b""))
    put(tables.revocation.insert().values(fingerprint=b"\xff" * 32, account_id=9, body=b"{}", signature=b"s"))
    put(tables.mailbox.insert().values(account_id=9, closed=1))
    put(tables.access.insert().values(account_id=1, opened_hour=5, address="192.0.2.1", client_version=None))
    put(tables.session.insert().values(account_id=1, client_id="ü", expiry=600, ended_at=None, subscriptions="[]"))
    put(tables.notice.insert().values(key="k", tenant="acme.example", issued_at=1, body=b"n", signature=b"s"))
    put(tables.notice_seen.insert().values(account_id=1, notice_id=1))
    put(
        tables.service_change.insert().values(
            key="k", jurisdiction="pk", action="suspend", state="x", changed_at=1, made_by="operator", note=""
        )
    )
    put(tables.departed.insert().values(name="initech.example", root=bytes(32), left_day=1))
    order = {"key": "c/1", "since": 1, "until": 2, "ends_at": 3, "access_up_to": 70, "traffic_up_to": 80}
    put(tables.preservation.insert().values(order))
    put(tables.preserved_account.insert().values(account_id=1, key="c/1"))
