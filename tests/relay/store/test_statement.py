"""A batch as one statement (`relay/store/statement.py`)."""

import pytest

from blindrelay.relay.store.sqlite import SqliteStore
from blindrelay.relay.store.statement import MAX_ROWS, statement
from support.stored import entry


@pytest.mark.parametrize("count", [1, 2, 3, 65, 129, MAX_ROWS])
def test_parameters_match_the_statement(count: int) -> None:
    """However many rows there are, the statement is one of a few, and filled up."""
    sql, values = statement([entry(number) for number in range(1, count + 1)], [])

    assert sql.count("?") == len(values)


def test_lengths_between_share_a_statement() -> None:
    """Batches of 65 and 96 are the same SQL, so that SQLite prepares it once."""
    batches = [[entry(number) for number in range(1, count + 1)] for count in (65, 96)]

    assert len({statement(batch, [])[0] for batch in batches}) == 1


@pytest.mark.parametrize(("accepted", "removed"), [(0, 1), (3, 1), (1, 3), (40, 70), (MAX_ROWS, MAX_ROWS)])
def test_rows_reach_their_tables(store: SqliteStore, accepted: int, removed: int) -> None:
    """An envelope becomes three rows, a removal takes one away, in any proportion."""
    store.commit([entry(number, slot=number) for number in range(1, removed + 1)], [])

    store.commit(
        [entry(removed + number, slot=removed + number) for number in range(1, accepted + 1)],
        [(1, number) for number in range(1, removed + 1)],
    )

    with store.reader() as connection:
        counts = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("envelope", "traffic", "recent_id")
        ]
    assert counts == [accepted, accepted + removed, accepted + removed]


def test_none_is_null(store: SqliteStore) -> None:
    """A sealed sender and an envelope without expiry are null in the tables, not zero."""
    store.commit([entry(1, sender=None, expires_at=None), entry(2, sender=7, expires_at=9)], [])

    with store.reader() as connection:
        senders = connection.exec_driver_sql("SELECT sender_id FROM traffic ORDER BY id").scalars().all()
        expiries = connection.exec_driver_sql("SELECT expires_at FROM envelope ORDER BY sequence").scalars().all()
    assert (senders, expiries) == ([None, 7], [None, 9])


def test_ring_row_replaces_its_slot(store: SqliteStore) -> None:
    """A sender's ring has as many rows as slots, however much it sends."""
    store.commit([entry(number, slot=number % 4) for number in range(1, 20)], [])

    with store.reader() as connection:
        slots = connection.exec_driver_sql("SELECT slot FROM recent_id WHERE owner = 2 ORDER BY slot").scalars().all()
    assert slots == [0, 1, 2, 3]
