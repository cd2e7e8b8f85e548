"""Copying from SQLite to PostgreSQL (`relay/copying`): all of it and verified, or nothing."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.engines import postgres
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay import copying
from blindrelay.relay.copying.comparing import encoded
from blindrelay.relay.copying.shapes import NODES_OWN, PUBLISHED, SHAPES
from blindrelay.relay.datadir import MOVED, held
from blindrelay.relay.errors import (
    CopyDiffers,
    DataDirectoryInUse,
    NeedsMigration,
    NewerVersion,
    StoreInUse,
    StoreUnreachable,
    TargetNotEmpty,
    Unreadable,
)
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.store import tables
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.migrate import migrate
from blindrelay.relay.store.postgres.store import COPYING, PostgresStore

pytestmark = pytest.mark.needs("initdb")

CLOCK = SystemClock()
DAY = 1_700_000_000 // 86_400


def copy(old: Path, url: str) -> copying.Report:
    """Copy."""
    return copying.copy(old, Address.parse(url), CLOCK)


def rows(url: str) -> int:
    """How many there are in all tables of a database."""
    with psycopg.connect(url) as connection:
        return sum(
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # type: ignore[index]
            for name in tables.metadata.tables
        )


def change(old: Path, *statements: str) -> None:
    """Do something to the old database."""
    with closing(sqlite3.connect(old / "relay.db", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def content(old: Path) -> dict[str, bytes]:
    """The files of a data directory, but for what whoever reads a database leaves behind: the lock, an index, an empty WAL."""
    found = {path.name: path.read_bytes() for path in old.iterdir() if path.name not in {"lock", "relay.db-shm"}}
    return {name: data for name, data in found.items() if data or not name.endswith("-wal")}


class TestRefused:
    """Before anything is written: each with what to do."""

    def test_a_data_directory_without_a_relay(self, tmp_path: Path, new_database: str) -> None:
        with pytest.raises(Unreadable, match=r"holds no relay's data: expected relay\.db in it"):
            copy(tmp_path, new_database)

    def test_a_relay_that_runs(self, old: Path, new_database: str) -> None:
        with held(old), pytest.raises(DataDirectoryInUse, match="in use by another relay: stop that one"):
            copy(old, new_database)

    @pytest.mark.parametrize(
        ("revision", "refusal", "words"),
        [
            ("0001", NeedsMigration, "has an older release's schema: blindrelay migrate --data-dir"),
            ("0999", NewerVersion, "start the newer release that wrote it"),
        ],
    )
    def test_a_schema_of_another_release(
        self, old: Path, new_database: str, revision: str, refusal: type[Exception], words: str
    ) -> None:
        change(old, f"UPDATE alembic_version SET version_num = '{revision}'")
        with pytest.raises(refusal, match=words):
            copy(old, new_database)

    def test_a_database_of_before_there_were_revisions(self, old: Path, new_database: str) -> None:
        change(old, "DROP TABLE alembic_version")
        with pytest.raises(NeedsMigration, match="blindrelay migrate --data-dir"):
            copy(old, new_database)

    def test_an_address_where_nobody_is(self, old: Path, tmp_path: Path) -> None:
        with pytest.raises(StoreUnreachable, match=r"cannot be copied into: .*No such file"):
            copy(old, f"postgresql://owner@/nothing?host={tmp_path}")

    def test_a_target_without_schema(self, old: Path, postgres_server: postgres.Server) -> None:
        url = postgres_server.new_database(template="template1")
        with pytest.raises(NeedsMigration, match="has no schema: blindrelay migrate --store"):
            copy(old, url)
        postgres_server.drop(url)

    def test_a_target_of_another_release(self, old: Path, new_database: str) -> None:
        with psycopg.connect(new_database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
        with pytest.raises(NeedsMigration, match="has an older release's schema"):
            copy(old, new_database)

    def test_a_login_that_is_not_the_owner(
        self, old: Path, postgres_server: postgres.Server, new_database: str
    ) -> None:
        """A relay's own may write rows, and not say where numbering goes on."""
        name = Address.parse(new_database).parameters["dbname"]
        with postgres_server.connect(name) as connection:
            connection.execute(f"CREATE ROLE login_{name} LOGIN IN ROLE blindrelay_relay")
        try:
            with pytest.raises(StoreUnreachable, match="belongs to another login: copy as the one that has made its"):
                copy(old, postgres_server.url(name, f"login_{name}"))
        finally:
            with postgres_server.connect(name) as connection:
                connection.execute(f"DROP ROLE login_{name}")

    @pytest.mark.parametrize("table", ["tenant", "node", "traffic"])
    def test_a_target_that_has_anything(self, old: Path, new_database: str, table: str) -> None:
        row = {
            "tenant": "(name, root, registered_day) VALUES ('a', '', 1)",
            "node": "(name, started_at) VALUES ('n1', 1)",
            "traffic": "(message_id, recipient_id, accepted_at, size) VALUES ('', 1, 1, 1)",
        }[table]
        with psycopg.connect(new_database) as connection:
            connection.execute(f"INSERT INTO {table} {row}".encode())
        with pytest.raises(TargetNotEmpty, match=f"has rows in {table} already: copy into a database that is new"):
            copy(old, new_database)

    def test_a_target_with_a_relay_on_it(self, old: Path, new_database: str) -> None:
        store = PostgresStore.open(Address.parse(new_database), Quota())
        with pytest.raises(StoreInUse, match=r"is in use \(blindrelay\): stop every relay and command on it"):
            copy(old, new_database)
        store.close()

    def test_two_copies_into_one(self, old: Path, new_database: str) -> None:
        with psycopg.connect(new_database, autocommit=True) as other:
            other.execute(f"SELECT pg_advisory_lock({COPYING})")
            with pytest.raises(StoreInUse, match="is being copied into by somebody else"):
                copy(old, new_database)

    def test_no_relay_starts_meanwhile(self, new_database: str) -> None:
        with psycopg.connect(new_database, autocommit=True) as other:
            other.execute(f"SELECT pg_advisory_lock({COPYING})")
            with pytest.raises(StoreInUse, match=r"is being copied into .*: wait until that is done"):
                PostgresStore.open(Address.parse(new_database), Quota())


class TestDamaged:
    """What cannot be read, or is not what it was, leaves the target empty and the old one as it was."""

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("UPDATE envelope SET size = 100000 WHERE sequence = 4", "place 4 of mailbox 1 is shorter than it says"),
            ("UPDATE access SET address = CAST(x'ff' AS TEXT)", "access: .*relay.db is damaged"),
            ("UPDATE access SET address = 'a' || char(0)", "access: there is a row that the new database refuses"),
            ("UPDATE device SET tenant = 'nobody' WHERE account_id = 1", "device: there is a row that the new"),
        ],
        ids=["envelope", "text", "nul", "reference"],
    )
    def test_a_row(self, old: Path, new_database: str, statement: str, words: str) -> None:
        change(old, statement)
        before = content(old)
        with pytest.raises(Unreadable, match=words):
            copy(old, new_database)
        assert rows(new_database) == 0
        assert content(old) == before

    def test_a_page(self, old: Path, new_database: str) -> None:
        """SQLite's own check finds it before anything is written."""
        with closing(sqlite3.connect(old / "relay.db")) as database:
            root = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'traffic'").fetchone()[0]
        with (old / "relay.db").open("r+b") as file:
            file.seek((root - 1) * 1_024)
            file.write(b"\xff" * 512)
        with pytest.raises(Unreadable, match=r"relay\.db is damaged .*: restore the newest backup, and copy that"):
            copy(old, new_database)
        assert rows(new_database) == 0

    @pytest.mark.parametrize(
        ("table", "what", "words"),
        [
            ("traffic", "NEW.size := NEW.size + 1; RETURN NEW", "traffic: a row is not what was read .id 2"),
            ("envelope", "NEW.payload := set_byte(NEW.payload, 7, 0); RETURN NEW", "envelope: a row is not what was"),
            ("session", "RETURN NULL", "session: a row is missing"),
            ("recent_id", "NEW.owner := 10; RETURN NEW", "recent_id: a row is missing, or another is in its place"),
        ],
        ids=["number", "byte", "missing", "key"],
    )
    def test_what_the_new_database_does_not_keep_as_it_is(
        self, old: Path, new_database: str, table: str, what: str, words: str
    ) -> None:
        """Whatever spoils a row on its way: it is found by reading it back, and nothing of the copy stays."""
        with psycopg.connect(new_database, autocommit=True) as connection:
            connection.execute(
                f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; END $$".encode()
            )
            condition = "WHEN (NEW.id = 2)" if table == "traffic" else ""
            connection.execute(
                f"CREATE TRIGGER spoil BEFORE INSERT ON {table} FOR EACH ROW {condition} EXECUTE FUNCTION spoil()".encode()
            )
        with pytest.raises(CopyDiffers, match=words):
            copy(old, new_database)
        assert rows(new_database) == 0
        assert not (old / MOVED).exists()

    @pytest.mark.parametrize("statement", ["UPDATE traffic SET size = 0 WHERE id = 2", "DELETE FROM notice_seen"])
    def test_verifying_later_finds_what_has_changed(self, old: Path, new_database: str, statement: str) -> None:
        copy(old, new_database)
        assert copying.verify(old, Address.parse(new_database)).rows > 0
        with psycopg.connect(new_database) as connection:
            connection.execute(statement.encode())
        with pytest.raises(
            CopyDiffers, match=r"traffic: a row is not what was read \(id 2\)|notice_seen: a row is missing"
        ):
            copying.verify(old, Address.parse(new_database))


class TestCopied:
    """What is there afterwards."""

    def test_every_table_is_accounted_for(self) -> None:
        """A new one has to be copied, or to be named among what nodes make for themselves."""
        assert {shape.table for shape in SHAPES} | {*NODES_OWN, *PUBLISHED} == {*tables.metadata.tables.values()}

    def test_says_of_each_table_how_many_and_its_digest(self, old: Path, new_database: str) -> None:
        """The same digest whichever way it is read, and another one for other rows."""
        report = copy(old, new_database)
        assert {table.name: table.rows for table in report.tables} == {
            "tenant": 3, "device": 3, "prekey": 1, "revocation": 1, "directory_entry": 0, "session": 1, "envelope": 5,
            "mailbox": 3, "recent_id": 6, "traffic": 6, "access": 1, "notice": 1, "notice_seen": 1, "service_change": 1,
            "preservation": 1, "preserved_account": 1, "departed": 1,
        }  # fmt: skip
        assert rows(new_database) == report.rows
        assert copying.verify(old, Address.parse(new_database)) == report
        assert len({table.sha256 for table in report.tables}) == len(report.tables)

    def test_the_language_of_the_new_database_does_not_matter(
        self, old: Path, postgres_server: postgres.Server
    ) -> None:
        """German puts Å before z, and bytes put it after: rows are compared by their bytes."""
        with postgres_server.connect("postgres") as connection:
            connection.execute(
                "CREATE DATABASE german TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"
            )
        url = postgres_server.url("german")
        migrate(Address.parse(url))
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 'Å' < 'z'").fetchone() == (True,)
        try:
            assert rows(url) < copy(old, url).rows
        finally:
            postgres_server.drop(url)

    def test_leaves_the_old_database_as_it_was(self, old: Path, new_database: str) -> None:
        """Byte by byte; beside it there is where it has gone."""
        before = content(old)
        copy(old, new_database)
        assert content(old) == before | {MOVED: f"{Address.parse(new_database)}\n".encode()}
        with pytest.raises(TargetNotEmpty, match=r"has been moved to .* before: what is here is older"):
            copy(old, new_database)

    def test_has_what_a_killed_relay_left_in_its_wal(self, old: Path, new_database: str, tmp_path: Path) -> None:
        """It was committed, and so it counts."""
        with closing(sqlite3.connect(old / "relay.db", isolation_level=None)) as database:
            database.execute("PRAGMA wal_autocheckpoint = 0")
            database.execute("INSERT INTO tenant (name, root, registered_day) VALUES ('late.example', x'', 1)")
            killed = Path(shutil.copytree(old, tmp_path / "killed"))
        assert {table.name: table.rows for table in copy(killed, new_database).tables}["tenant"] == 4

    def test_numbers_go_on_behind_those_that_were_given(self, old: Path, new_database: str) -> None:
        """Behind what an order preserves up to as well: what comes later is not in it."""
        change(old, "UPDATE sqlite_sequence SET seq = 41 WHERE name = 'device'")
        copy(old, new_database)
        with psycopg.connect(new_database) as connection:
            given = {
                name: connection.execute(f"SELECT nextval('{name}')".encode()).fetchone()[0]  # type: ignore[index]
                for name in ("account_block", "access_id_seq", "traffic_id_seq", "notice_id_seq", "prekey_id_seq")
            }
        assert given == {
            "account_block": 42, "access_id_seq": 71, "traffic_id_seq": 81, "notice_id_seq": 2, "prekey_id_seq": 2,
        }  # fmt: skip

    def test_places_go_on_behind_what_waits(self, old: Path, new_database: str) -> None:
        """And a mailbox that was closed is closed."""
        copy(old, new_database)
        with psycopg.connect(new_database) as connection:
            found = connection.execute(
                "SELECT account_id, last_sequence, waiting, waiting_size, closed FROM mailbox ORDER BY account_id"
            ).fetchall()
        assert found == [(1, 8, 3, 3_600, 0), (2, 7, 2, 2_400, 0), (9, 0, 0, 0, 1)]

    def test_traffic_is_in_its_day(self, old: Path, new_database: str) -> None:
        """So that retention drops it as it drops any other; what a wrong clock has dated is where such things are."""
        change(old, "UPDATE traffic SET accepted_at = 4000000000 WHERE id = 6")
        copy(old, new_database)
        with psycopg.connect(new_database) as connection:
            found = dict(
                connection.execute("SELECT tableoid::regclass::text, count(*) FROM traffic GROUP BY 1").fetchall()
            )
        assert found == {f"traffic_d{DAY}": 5, "traffic_other": 1}

    def test_an_id_that_is_in_a_ring_twice_is_there_once(self, old: Path, new_database: str) -> None:
        """A commit that failed on a full disk can leave that; the newer one counts."""
        change(
            old,
            "INSERT INTO recent_id SELECT owner, 99, message_id, recipient, size, checksum | (7 << 32), accepted_at "
            "FROM recent_id LIMIT 1",
        )
        copy(old, new_database)
        with psycopg.connect(new_database) as connection:
            assert connection.execute("SELECT count(*), max(slot) FROM recent_id").fetchone() == (6, 7)

    def test_nobody_is_told_of_changes_that_are_none(self, old: Path, new_database: str) -> None:
        """No node has missed anything; from then on each change is told of again."""
        copy(old, new_database)
        with psycopg.connect(new_database) as connection:
            assert connection.execute("SELECT count(*) FROM change").fetchone() == (0,)
            connection.execute("UPDATE tenant SET jurisdiction = 'de'")
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            assert connection.execute("SELECT count(*) FROM change").fetchone() == (3,)


VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary()
ROWS = st.lists(VALUES, max_size=4).map(tuple)


@given(one=ROWS, other=ROWS)
def test_two_rows_are_not_encoded_alike(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    """What the digest is over says which values there were, of which type, and where one ends."""
    assert (encoded(one) == encoded(other)) == (one == other)
