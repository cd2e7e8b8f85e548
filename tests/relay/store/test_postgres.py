"""PostgreSQL as the store (`relay/store/postgres`): what a batch does, for one node and for two, and what a cut does to it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import sqlalchemy

from blindrelay.proofs.engines import postgres
from blindrelay.relay.errors import NeedsMigration, StoreAway, StoreFailed, StoreUnreachable
from blindrelay.relay.mailbox import Quota, set_closed
from blindrelay.relay.ring import DEVICE_RING, recent_ids
from blindrelay.relay.store import tables
from blindrelay.relay.store.entries import Accepted, Outcome, Refusal
from blindrelay.relay.store.postgres import batch
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.connections import WRITING, connect
from blindrelay.relay.store.postgres.store import PostgresStore
from support import cut
from support.stored import entry

pytestmark = pytest.mark.needs("initdb")

QUOTA = Quota(count=100, size=1 << 20)
OpenStore = Callable[..., PostgresStore]


@pytest.fixture
def open_store(new_database: str) -> Iterator[OpenStore]:
    """Opens the database, as each node does."""
    opened: list[PostgresStore] = []

    def open_one(address: str = new_database, quota: Quota = QUOTA, patience: float = 5.0) -> PostgresStore:
        opened.append(PostgresStore.open(Address.parse(address), quota, patience=patience))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> PostgresStore:
    """One node."""
    return open_store()


@pytest.fixture
def proxy(postgres_server: postgres.Server) -> Iterator[cut.Proxy]:
    """What stands between a node and the database."""
    with cut.proxy(postgres_server.folder) as proxy:
        yield proxy


def places(entries: list[Accepted]) -> list[int]:
    return [each.sequence for each in entries]


def refusals(entries: list[Accepted]) -> list[Refusal | None]:
    return [each.refusal for each in entries]


def waiting(store: PostgresStore, mailbox: int = 1) -> list[int]:
    return [envelope.sequence for envelope in store.fetch(mailbox, 0, 10_000, 1 << 30)]


def count(store: PostgresStore, table: sqlalchemy.Table) -> int:
    query = sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
    return store.read(lambda connection: int(connection.execute(query).scalar_one()))


def close_mailbox(store: PostgresStore, account_id: int) -> None:
    store.commit([], [], [lambda connection: set_closed(connection, account_id, closed=True)])


class TestTheBatch:
    """What one call does."""

    def test_gives_places_in_order(self, store: PostgresStore) -> None:
        """From 1, without gaps, for each mailbox; what was proposed does not count."""
        first = [entry(77), entry(77, mailbox=2), entry(77)]
        second = [entry(77), entry(77, mailbox=2)]

        assert store.commit(first, []).outcome is Outcome.COMMITTED
        store.commit(second, [])

        assert (places(first), places(second)) == ([1, 1, 2], [3, 2])
        assert (waiting(store), waiting(store, 2)) == ([1, 2, 3], [1, 2])

    def test_what_went_in_comes_out(self, store: PostgresStore) -> None:
        """Envelope and traffic record, sealed or not, with and without an end."""
        sealed = entry(1, sender=None, payload=b"\x00" * 65_536, expires_at=1_700_000_900)
        store.commit([entry(1, payload=b"\xff" * 1_024), sealed], [])

        first, second = store.fetch(1, 0, 9, 1 << 30)
        assert (first.payload, first.expires_at) == (b"\xff" * 1_024, None)
        assert (second.payload, second.expires_at, second.message_id) == (
            sealed.payload,
            1_700_000_900,
            sealed.message_id,
        )
        query = sqlalchemy.select(tables.traffic.c.sender_id, tables.traffic.c.size).order_by(tables.traffic.c.id)
        assert store.read(lambda connection: connection.execute(query).all()) == [(2, 1_024), (None, 65_536)]

    def test_deletes_what_was_acknowledged(self, store: PostgresStore) -> None:
        """In the same call; unknown places are passed over."""
        store.commit([entry(1), entry(2), entry(3)], [])
        store.commit([entry(4)], [(1, 2), (1, 99), (7, 1)])
        assert waiting(store) == [1, 3, 4]

    def test_an_empty_mailbox_goes_on_where_it_was(self, open_store: OpenStore) -> None:
        """A place is not given twice, however often nodes start."""
        for expected in (1, 2):
            one = [entry(1)]
            store = open_store()
            store.commit(one, [])
            store.commit([], [(1, one[0].sequence)])
            assert places(one) == [expected]

    def test_recognises_an_id(self, store: PostgresStore) -> None:
        """The same message is not stored again; another one under its id is refused, and the rest of the batch is not."""
        one = entry(1)
        store.commit([one], [])
        again, other, new = replace(one), replace(one, payload=b"y" * 2_048, checksum=1), entry(1)

        store.commit([again, other, new], [])

        assert refusals([again, other, new]) == [Refusal.KNOWN, Refusal.ID_USED, None]
        assert again.sequence == 1, "a place that it is not above"
        assert (waiting(store), count(store, tables.traffic)) == ([1, 2], 2)

    def test_recognises_an_id_within_the_batch(self, store: PostgresStore) -> None:
        one = entry(1)
        both = [one, replace(one)]
        store.commit(both, [])
        assert refusals(both) == [None, Refusal.KNOWN]

    def test_forgets_old_ids(self, store: PostgresStore) -> None:
        """As many as a sender may still repeat are kept, and no more than twice as many."""
        old = [entry(1) for _ in range(2 * DEVICE_RING)]
        for start in range(0, len(old), 64):
            store.commit([replace(each, mailbox_id=start) for each in old[start : start + 64]], [])

        rows = store.read(lambda connection: recent_ids(connection, 2))

        assert [row[1] for row in rows] == [each.message_id for each in old[-DEVICE_RING:]]
        assert [row[0] for row in rows] == list(range(DEVICE_RING))
        assert count(store, tables.recent_id) <= 2 * DEVICE_RING

    def test_refuses_for_a_revoked_device(self, store: PostgresStore) -> None:
        """Whatever the node believes that takes the message."""
        close_mailbox(store, 1)
        one, other = entry(1), entry(1, mailbox=2)
        store.commit([one, other], [])
        assert refusals([one, other]) == [Refusal.CLOSED, None]
        assert waiting(store) == []

    def test_keeps_the_quota(self, open_store: OpenStore) -> None:
        """By count and by size, and what is refused is not remembered: it is taken once there is room."""
        for quota in (Quota(count=3, size=1 << 20), Quota(count=100, size=3 * 1_024)):
            store = open_store(quota=quota)
            mailbox = quota.count
            batch = [entry(1, mailbox=mailbox) for _ in range(5)]
            store.commit(batch, [])
            assert refusals(batch) == [None, None, None, Refusal.NO_ROOM, Refusal.NO_ROOM]

            _a_second_later(store)
            late = [replace(batch[3], refusal=None), replace(batch[4], refusal=None)]
            store.commit(late, [(mailbox, 1), (mailbox, 2)])
            assert (refusals(late), waiting(store, mailbox)) == ([None, None], [3, 4, 5])

    def test_a_full_mailbox_is_counted_once_a_second(self, open_store: OpenStore) -> None:
        """Whoever floods it makes nobody count it for each message."""
        store = open_store(quota=Quota(count=2, size=1 << 20))
        store.commit([entry(1), entry(2)], [])
        store.commit([entry(3)], [])
        late = [entry(4)]
        store.commit(late, [(1, 1)])
        assert refusals(late) == [Refusal.NO_ROOM]

    def test_large_batch(self, store: PostgresStore) -> None:
        """As many as the committer takes at once, many mailboxes, and as many removals."""
        batch = [entry(1, mailbox=number % 300) for number in range(1_024)]
        store.commit(batch, [])
        store.commit([], [(each.mailbox_id, each.sequence) for each in batch])
        assert count(store, tables.envelope) == 0
        assert count(store, tables.traffic) == 1_024

    def test_a_page_is_bounded(self, store: PostgresStore) -> None:
        """By count and by bytes; the first comes whatever its size."""
        store.commit([entry(n, payload=b"x" * 1_024 * n) for n in range(1, 6)], [])
        for after, number, size, expected in (
            (0, 2, 1 << 20, [1, 2]),
            (1, 9, 5_120, [2, 3]),
            (4, 9, 1, [5]),
            (5, 9, 9, []),
        ):
            assert [envelope.sequence for envelope in store.fetch(1, after, number, size)] == expected


def _a_second_later(store: PostgresStore) -> None:
    """The mailboxes were counted long ago."""
    store.commit(
        [], [], [lambda connection: connection.execute(sqlalchemy.update(tables.mailbox).values(counted_at=0)) and None]
    )


class TestTwoNodes:
    """What two nodes do to one another."""

    def test_one_id_is_stored_once(self, open_store: OpenStore) -> None:
        """Whichever node it comes to, and when it comes to both at once."""
        nodes = [open_store(quota=Quota()), open_store(quota=Quota())]
        ids = [entry(1) for _ in range(200)]
        batches = [[replace(each) for each in ids], [replace(each) for each in reversed(ids)]]

        _at_once(
            *(lambda node=node, batch=batch: node.commit(batch, []) for node, batch in zip(nodes, batches, strict=True))
        )  # type: ignore[misc]

        taken = [sum(each.refusal is None for each in batch) for batch in batches]
        assert sum(taken) == 200
        assert {refusal for batch in batches for refusal in refusals(batch)} <= {None, Refusal.KNOWN}
        assert (waiting(nodes[0]), count(nodes[0], tables.traffic)) == (list(range(1, 201)), 200)

    def test_a_mailbox_is_filled_by_one_at_a_time(self, new_database: str, open_store: OpenStore) -> None:
        """Who comes second waits for the first to commit, and holds nothing meanwhile that a third might want."""
        store, third = open_store(), open_store()
        boxes = range(1, 20)
        store.commit([entry(1, mailbox=box) for box in boxes], [])
        first, second = [entry(1)], [entry(1, mailbox=box) for box in reversed(boxes)]
        with connect(Address.parse(new_database), WRITING) as connection, ThreadPoolExecutor() as pool:
            batch.take(connection, first, [], [], (100, 1 << 20))

            later = pool.submit(store.commit, second, [])
            _wait_for_a_lock(connection)
            free = [entry(1, mailbox=box) for box in boxes[1:]]
            third.commit(free, [])

            connection.commit()
            later.result()

        assert (places(first), places(free), places(second)) == ([2], [2] * 18, [3] * 19)

    def test_no_place_is_seen_before_the_one_below(self, open_store: OpenStore) -> None:
        """Two nodes fill the same mailboxes, in opposite order; a third reads. There is never a gap, and nobody is stuck."""
        nodes, reader, seen = [open_store(), open_store()], open_store(), list[list[int]]()
        done = threading.Event()

        def fill(node: PostgresStore, boxes: list[int]) -> None:
            for _ in range(40):
                assert node.commit([entry(1, mailbox=box) for box in boxes], []).outcome is Outcome.COMMITTED

        def look() -> None:
            while not done.is_set():
                seen.append(waiting(reader))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            _at_once(lambda: fill(nodes[0], [1, 2, 3, 4]), lambda: fill(nodes[1], [4, 3, 2, 1]))
        finally:
            done.set()
            looking.join()

        assert all(found == list(range(1, len(found) + 1)) for found in seen)
        assert [waiting(reader, box) for box in (1, 2, 3, 4)] == [list(range(1, 81))] * 4


def _wait_for_a_lock(connection: Any) -> None:
    """Until somebody waits for what this connection holds."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    while not connection.execute(query).fetchone()[0]:
        time.sleep(0.01)


def _at_once(*work: Callable[[], Any]) -> None:
    failures: list[BaseException] = []

    def do(each: Callable[[], Any]) -> None:
        try:
            each()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=do, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


class TestWrites:
    """What is written beside the envelopes."""

    def test_each_fails_alone(self, store: PostgresStore) -> None:
        """Its savepoint goes, and the others stay."""

        def wrong(connection: sqlalchemy.Connection) -> None:
            connection.execute(sqlalchemy.insert(tables.tenant).values(name="b", root=b"", registered_day=1))
            connection.exec_driver_sql("SELECT nothing FROM nowhere")

        def tenant(connection: sqlalchemy.Connection) -> str:
            connection.execute(sqlalchemy.insert(tables.tenant).values(name="a", root=b"", registered_day=1))
            return "done"

        first, second, third = store.commit([], [], [tenant, wrong, lambda _: 3]).results

        assert (first, third) == ("done", 3)
        assert isinstance(second, sqlalchemy.exc.ProgrammingError)
        assert store.read(
            lambda connection: list(connection.execute(sqlalchemy.select(tables.tenant.c.name)).scalars())
        ) == ["a"]

    @pytest.mark.parametrize(("error", "outcome"), [(ValueError("no"), ValueError), (None, str)])
    def test_one_alone(self, store: PostgresStore, error: Exception | None, outcome: type) -> None:
        """It has the transaction to itself: nothing of it is there when it fails."""

        def write(connection: sqlalchemy.Connection) -> str:
            _note(connection)
            if error is not None:
                raise error
            return "done"

        (result,) = store.commit([], [], [write]).results

        assert isinstance(result, outcome)
        assert count(store, tables.notice) == (0 if error else 1)

    def test_savepoints_are_set_only_where_something_failed(
        self, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each is two more ways to the server, and many connect at once."""
        savepoints: list[str] = []
        begin = sqlalchemy.Connection.begin_nested

        def counted(connection: sqlalchemy.Connection) -> sqlalchemy.NestedTransaction:
            savepoints.append("one")
            return begin(connection)

        def wrong(_: sqlalchemy.Connection) -> None:
            raise ValueError("no")

        monkeypatch.setattr(sqlalchemy.Connection, "begin_nested", counted)

        assert store.commit([], [], [lambda _: 1, lambda _: 2]).results == [1, 2]
        assert savepoints == []
        assert [type(result) for result in store.commit([], [], [lambda _: 1, wrong]).results] == [int, ValueError]
        assert len(savepoints) == 2

    def test_readers_cannot_write(self, store: PostgresStore) -> None:
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="read-only"):
            store.read(lambda connection: connection.execute(sqlalchemy.delete(tables.traffic)))

    def test_an_entry_of_the_log_stays(self, store: PostgresStore) -> None:
        """The database itself refuses to change it, to its owner, too."""
        store.commit(
            [], [], [lambda c: c.execute(sqlalchemy.insert(tables.directory_entry).values(number=0, body=b"a"))]
        )
        for statement in (
            sqlalchemy.delete(tables.directory_entry),
            sqlalchemy.update(tables.directory_entry).values(body=b"b"),
        ):
            (refused,) = store.commit([], [], [lambda c, s=statement: c.execute(s)]).results  # type: ignore[misc]
            assert "only added to" in str(refused)


def _tenants(store: PostgresStore) -> int:
    return count(store, tables.notice)


def _note(connection: sqlalchemy.Connection) -> int:
    """A write that shows how often it was done."""
    row = {"key": str(time.monotonic_ns()), "issued_at": 1, "body": b"", "signature": b""}
    return int(
        connection.execute(sqlalchemy.insert(tables.notice).values(row).returning(tables.notice.c.id)).scalar_one()
    )


def test_what_was_planned_while_nothing_waited_does_not_read_all_that_waits_later(
    store: PostgresStore, postgres_server: postgres.Server
) -> None:
    """Statistics of a moment at which the table was empty: the plan goes by the index all the same."""
    with postgres_server.connect(store.address.parameters["dbname"]) as connection:
        connection.execute("VACUUM ANALYZE envelope")
    query = "EXPLAIN SELECT * FROM envelope WHERE mailbox_id = 1 AND sequence > 0 ORDER BY sequence LIMIT 10"
    plan = store.read(lambda connection: list(connection.exec_driver_sql(query).scalars()))
    assert any("Index Scan" in line for line in plan), plan
    assert not any("Seq Scan" in line for line in plan), plan


class TestLostConnections:
    """A connection that is cut inside a commit: nobody knows what was done until it has been found out."""

    @pytest.mark.parametrize("heard", [False, True], ids=["before the server has it", "after it was committed"])
    def test_a_batch_is_stored_once(
        self, open_store: OpenStore, store: PostgresStore, proxy: cut.Proxy, new_database: str, *, heard: bool
    ) -> None:
        """It is repeated, and recognises itself: every envelope has its place or is known to have one."""
        node = open_store(proxy.url(new_database))
        node.commit([entry(1)], [])
        batch = [entry(1), entry(1)]
        proxy.cut(batch[0].message_id, heard=heard)

        assert node.commit(batch, [(1, 1)]).outcome is Outcome.COMMITTED

        assert proxy.cuts == 1
        assert refusals(batch) == [Refusal.KNOWN if heard else None] * 2
        assert (waiting(store), count(store, tables.traffic)) == ([2, 3], 3)

    @pytest.mark.parametrize("heard", [False, True], ids=["before the server has it", "after it was committed"])
    def test_a_write_is_done_once(
        self, open_store: OpenStore, store: PostgresStore, proxy: cut.Proxy, new_database: str, *, heard: bool
    ) -> None:
        """The server is asked what became of the transaction: one that was committed is not done again."""
        node = open_store(proxy.url(new_database))
        proxy.cut(b"COMMIT", heard=heard)

        (number,) = node.commit([], [], [_note]).results

        assert (proxy.cuts, _tenants(store)) == (1, 1)
        query = sqlalchemy.select(tables.notice.c.id)
        assert number == store.read(lambda connection: connection.execute(query).scalar())

    def test_a_server_that_has_gone_is_not_waited_for_long(
        self, open_store: OpenStore, store: PostgresStore, proxy: cut.Proxy, new_database: str
    ) -> None:
        """Nothing is promised meanwhile; what could not be deleted is made up for; and all goes on as soon as it is back."""
        node = open_store(proxy.url(new_database), patience=0)
        node.commit([entry(1)], [])
        proxy.go_down()

        lost = node.commit([entry(2)], [(1, 1)], [_note])
        assert lost.outcome is Outcome.UNKNOWN, "it may have got there"
        (error,) = lost.results
        assert isinstance(error, StoreAway)
        assert "127.0.0.1" in str(error)
        assert node.commit([entry(3)], []).outcome is Outcome.STORE_AWAY, "it has not"
        with pytest.raises(StoreAway):
            waiting(node)
        assert not node.tidy()

        proxy.come_up()
        assert node.tidy()
        assert waiting(node) == []
        batch = [entry(4)]
        assert node.commit(batch, []).outcome is Outcome.COMMITTED
        assert (waiting(node), _tenants(store)) == ([2], 0)

    def test_an_idle_node_finds_its_way_back(self, open_store: OpenStore, proxy: cut.Proxy, new_database: str) -> None:
        """All connections were cut while it had nothing to do: nobody notices."""
        node = open_store(proxy.url(new_database))
        waiting(node)
        for _ in range(2):
            proxy.go_down()
            proxy.come_up()
            assert node.commit([entry(1)], [], [_note]).outcome is Outcome.COMMITTED
        proxy.go_down()
        proxy.come_up()
        assert waiting(node) == [1, 2]

    def test_what_a_crash_has_taken_back_is_written_again(self) -> None:
        """PostgreSQL gives the number of a transaction that was lost to another one, which is committed: ours was not."""
        with postgres.server({**postgres.UNSAFE, "wal_writer_delay": "10s"}) as server:
            database = server.new_database()
            node = PostgresStore.open(Address.parse(database), QUOTA)
            crashes = iter(["in the first COMMIT"])

            @sqlalchemy.event.listens_for(node._writer, "commit")
            def crash(_: sqlalchemy.Connection) -> None:
                if next(crashes, None) is None:
                    return
                server.kill()
                server.start()
                with psycopg.connect(database, autocommit=True) as others:
                    for _ in range(10):
                        others.execute("SELECT pg_current_xact_id()")

            try:
                assert node.commit([], [], [_note]).results == [1]
                assert _tenants(node) == 1
            finally:
                node.close()

    def test_a_connection_that_does_not_become_free_is_a_server_that_is_away(self, open_store: OpenStore) -> None:
        """Whoever reads waits for those who wait for the server; a node that stood still for a while finds it so."""
        node = open_store(patience=0)
        both, over = threading.Barrier(3), threading.Event()

        def keep(connection: sqlalchemy.Connection) -> None:
            both.wait()
            over.wait()

        with ThreadPoolExecutor() as pool:
            held = [pool.submit(node.read, keep) for _ in range(2)]
            both.wait()
            try:
                with pytest.raises(StoreAway, match="cannot be reached"):
                    waiting(node)
            finally:
                over.set()
            for each in held:
                each.result()
        assert waiting(node) == []

    def test_a_wrong_statement_is_a_failure(self, store: PostgresStore, postgres_server: postgres.Server) -> None:
        """What no repetition mends is told as what it is."""
        with postgres_server.connect(store.address.parameters["dbname"]) as connection:
            connection.execute("DROP FUNCTION take_batch")
        with pytest.raises(StoreFailed, match="take_batch"):
            store.commit([entry(1)], [])


class TestOpening:
    """What keeps a node from starting, and what is said about it."""

    def test_an_empty_database(self, postgres_server: postgres.Server) -> None:
        url = postgres_server.new_database(template="template1")
        with pytest.raises(NeedsMigration, match="has no schema: blindrelay migrate --store postgresql://"):
            PostgresStore.open(Address.parse(url), QUOTA)
        postgres_server.drop(url)

    def test_a_server_that_is_not_there(self) -> None:
        with pytest.raises(
            StoreUnreachable, match=r"127\.0\.0\.1:1/x cannot be used as the relay's database: .*refused"
        ):
            PostgresStore.open(Address.parse("postgresql://relay:secret@127.0.0.1:1/x"), QUOTA)

    def test_the_password_is_not_said(self) -> None:
        """Neither in the message nor in what a debugger prints."""
        address = Address.parse("postgresql://relay:hush@127.0.0.1:1/x?sslmode=disable")
        with pytest.raises(StoreUnreachable) as caught:
            PostgresStore.open(address, QUOTA)
        chain: list[BaseException | None] = [caught.value]
        while (last := chain[-1]) is not None:
            chain.append(last.__cause__ or last.__context__)
        assert "hush" not in repr(address) + str(address) + "".join(map(repr, chain))
