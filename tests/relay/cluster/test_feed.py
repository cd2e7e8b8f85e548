"""What has changed, and for how long that is known."""

import time
from pathlib import Path

import pytest
import sqlalchemy

from blindrelay.relay.cluster.feed import KEPT, forget_old
from blindrelay.relay.store import tables
from support.cluster import Store, cluster

pytestmark = pytest.mark.needs("initdb", "nats-server")


async def test_changes_are_forgotten_by_the_clock_that_noted_them(new_database: str) -> None:
    """The database's: a node whose clock is an hour fast would take from the others what they have not followed yet."""
    now = int(time.time())
    rows = [{"kind": "service", "key": str(age), "noted_at": now - age} for age in (0, KEPT - 60, KEPT + 60)]
    async with Store.open(new_database) as store:
        await store.run(lambda connection: connection.execute(sqlalchemy.insert(tables.change), rows) and None)
        await store.run(forget_old)
        kept = await store.read(
            lambda connection: list(connection.execute(sqlalchemy.select(tables.change.c.key)).scalars())
        )
    assert kept == ["0", str(KEPT - 60)]


async def test_numbers_of_transactions_are_forgotten_as_soon(new_database: str) -> None:
    """Nobody asks for one that is an hour old; each connection that a node ever had would leave one."""
    now = int(time.time())
    rows = [{"writer": age, "number": 1, "written_at": now - age} for age in (0, KEPT - 60, KEPT + 60)]
    async with Store.open(new_database) as store:
        await store.run(lambda connection: connection.execute(sqlalchemy.insert(tables.last_commit), rows) and None)
        await store.run(forget_old)
        kept = await store.read(
            lambda connection: set(connection.execute(sqlalchemy.select(tables.last_commit.c.writer)).scalars())
        )
    assert kept == {0, KEPT - 60}


async def test_a_node_that_is_not_whole_yet_follows_what_sessions_do(tmp_path: Path, new_database: str) -> None:
    """Nobody is connected to it, so there is nothing to end; whatever else has changed is not held up by that."""
    async with cluster(tmp_path, new_database, [], "n1") as nodes:
        node = nodes["n1"].node
        exchange, node._exchange = node._exchange, None
        await node._sessions(["1"])
        await node._readers(["1"])
        node._exchange = exchange
