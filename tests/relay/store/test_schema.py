"""The schema and its history (`relay/store/schema`, `relay/store/postgres/migrate.py` and `roles.py`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import Engine, inspect

from blindrelay.proofs.engines import postgres
from blindrelay.relay.errors import NeedsMigration, NewerVersion, StoreUnreachable
from blindrelay.relay.inventory import disclosable_columns
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.store import tables
from blindrelay.relay.store.postgres import roles
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.migrate import migrate
from blindrelay.relay.store.postgres.store import PostgresStore
from blindrelay.relay.store.schema import history
from blindrelay.relay.store.sqlite import SqliteStore
from support.at_once import at_once

VERSIONS = Path(history.__file__).parent / "versions"


def test_the_newest_revision_is_the_last_file() -> None:
    """What a start compares with is what there is."""
    assert max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py")) == history.HEAD


class TestSqlite:
    """An empty database is made in one piece, and is what the revisions make."""

    def test_both_ways_lead_to_the_same(self, tmp_path: Path) -> None:
        """Tables and what they are made with, columns, keys, indices, triggers."""
        SqliteStore.open(tmp_path / "new.db", reserve_bytes=0).close()
        stepwise = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'stepwise.db'}")
        with stepwise.begin() as connection:
            steps = history.upgrade(connection)
        new = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'new.db'}")

        assert [step.revision for step in steps][-1] == history.HEAD
        assert _described(new) == _described(stepwise)
        for each in (new, stepwise):
            each.dispose()

    def test_an_interrupted_upgrade_has_done_nothing(self, tmp_path: Path) -> None:
        """All steps, or none: the next start finds what this one found."""
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'old.db'}", poolclass=sqlalchemy.StaticPool)
        sqlalchemy.event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
        sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))

        def interrupted() -> None:
            with engine.begin() as connection:
                history.upgrade(connection)
                assert inspect(connection).has_table("tenant")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()

        assert inspect(engine).get_table_names() == []
        engine.dispose()


def _described(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        ask = connection.exec_driver_sql
        names = sorted(
            row[1] for row in ask("PRAGMA table_list") if row[0] == "main" and not row[1].startswith("sqlite_")
        )
        return {
            "tables": sorted(row[1:] for row in ask("PRAGMA table_list") if row[1] in names),
            "triggers": sorted(ask("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'").all()),
            **{
                name: [
                    [
                        (row[1], row[2], row[3], str(row[4]).strip("'"), row[5])
                        for row in ask(f"PRAGMA table_info({name})")
                    ],
                    sorted(row[2:] for row in ask(f"PRAGMA foreign_key_list({name})")),
                    sorted(
                        (row[2], row[3], ask(f"PRAGMA index_info('{row[1]}')").all())
                        for row in ask(f"PRAGMA index_list({name})")
                    ),
                ]
                for name in names
            },
        }


@pytest.fixture
def empty(postgres_server: postgres.Server) -> Iterator[str]:
    """A database with nothing in it."""
    url = postgres_server.new_database(template="template1")
    yield url
    postgres_server.drop(url)


@pytest.mark.needs("initdb")
class TestPostgres:
    """`blindrelay migrate`."""

    def test_has_the_columns_that_the_relay_names(self, new_database: str) -> None:
        """Each with its type, and with a value where there has to be one."""
        engine = sqlalchemy.create_engine(new_database.replace("postgresql:", "postgresql+psycopg:"))
        inspector = inspect(engine)
        found = {
            (table, column["name"]): (column["type"].compile(engine.dialect), column["nullable"])
            for table in tables.metadata.tables
            for column in inspector.get_columns(table)
        }
        expected = {
            (table.name, column.name): (column.type.compile(engine.dialect), column.nullable)
            for table in tables.metadata.tables.values()
            for column in table.columns
        }
        engine.dispose()

        assert found == expected

    def test_tells_what_it_does_and_does_it_once(self, empty: str) -> None:
        address = Address.parse(empty)
        told: list[history.Step] = []

        steps = migrate(address, told.append)

        assert told == steps
        assert steps[-1].revision == history.HEAD
        assert migrate(address, told.append) == []
        PostgresStore.open(address, Quota()).close()

    def test_two_at_once_are_one(self, empty: str) -> None:
        """The second waits for the first, and finds nothing to do."""
        done = at_once(*[lambda: migrate(Address.parse(empty))] * 2)
        assert sorted(map(len, done)) == [0, len(list(VERSIONS.glob("[0-9]*.py")))]

    def test_what_is_in_the_way_leaves_nothing_behind(self, empty: str) -> None:
        """All of it happens, or nothing."""
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute("CREATE TABLE traffic (something text)")
            with pytest.raises(StoreUnreachable, match='cannot be migrated: relation "traffic" already exists'):
                migrate(Address.parse(empty))
            tables_there = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert tables_there == [("traffic",)]

    def test_leaves_a_newer_schema_alone(self, new_database: str) -> None:
        """Neither migrated nor opened."""
        with psycopg.connect(new_database, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0999'")
        with pytest.raises(NewerVersion, match="start the newer release"):
            migrate(Address.parse(new_database))
        with pytest.raises(NewerVersion, match="has schema revision 0999"):
            PostgresStore.open(Address.parse(new_database), Quota())

    def test_an_older_schema_is_not_opened(self, new_database: str) -> None:
        with psycopg.connect(new_database, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0000'")
        with pytest.raises(NeedsMigration, match="has an older release's schema: blindrelay migrate"):
            PostgresStore.open(Address.parse(new_database), Quota())


@pytest.mark.needs("initdb")
class TestRoles:
    """Who may do what: the server itself refuses the rest."""

    def test_the_desk_sees_what_may_be_disclosed(self, new_database: str) -> None:
        """Each column of each table is legible, or not, as the inventory says; envelopes and mailboxes have none that is."""
        disclosable = disclosable_columns()
        assert not {table for table, _ in disclosable} & {"envelope", "mailbox", "recent_id", "prekey", "session"}
        legible = {
            (table.name, column.name)
            for table in tables.metadata.tables.values()
            for column in table.columns
            if _may(new_database, roles.DESK, f'SELECT "{column.name}" FROM {table.name}')
        }
        assert legible == disclosable

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM traffic",
            "INSERT INTO tenant (name, root, registered_day) VALUES ('a', '', 1)",
            "SELECT take_batch('{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}',1,1)",
            "SELECT drop_traffic(1, 1)",
            "CREATE TABLE mine (a int)",
            "COPY traffic TO PROGRAM 'cat'",
            "SELECT pg_read_file('postgresql.conf')",
        ],
    )
    def test_the_desk_does_nothing_but_look(self, new_database: str, statement: str) -> None:
        assert not _may(new_database, roles.DESK, statement)

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM directory_entry",
            "UPDATE directory_entry SET body = ''",
            "TRUNCATE traffic",
            "DROP TABLE traffic",
            "CREATE TABLE mine (a int)",
            "ALTER TABLE directory_entry DISABLE TRIGGER ALL",
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
            "UPDATE alembic_version SET version_num = ''",
            "DELETE FROM service_change",
        ],
    )
    def test_the_relay_changes_rows_and_no_log(self, new_database: str, statement: str) -> None:
        assert not _may(new_database, roles.RELAY, statement)
        assert _may(new_database, roles.RELAY, "DELETE FROM envelope")

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM connection_events(0)",
            "INSERT INTO access (account_id, opened_hour, address) VALUES (1, 1, '')",
            "INSERT INTO connection_watch VALUES ('k', 't', 'u', '', 1, 2)",
        ],
    )
    def test_the_relay_watches_for_its_desk(self, new_database: str, statement: str) -> None:
        """What is noted of connections is noted as the relay, and nobody else sees whom an order is about."""
        assert _may(new_database, roles.RELAY, statement)
        assert not _may(new_database, roles.DESK, statement)
        assert not _may(new_database, roles.LOGS, statement)

    def test_the_reader_of_logs_reads_the_log(self, new_database: str) -> None:
        legible = {
            table for table in tables.metadata.tables if _may(new_database, roles.LOGS, f"SELECT count(*) FROM {table}")
        }
        assert legible == {"directory_entry", "log_tile", "log_head"}

    def test_a_login_needs_two_roles_and_no_more(self, postgres_server: postgres.Server, new_database: str) -> None:
        """A node works with them: it commits, reads, makes its days and looks at metadata."""
        name = Address.parse(new_database).parameters["dbname"]
        with postgres_server.connect(name) as connection:
            connection.execute(f"CREATE ROLE login_{name} LOGIN")
            connection.execute(f"GRANT {roles.RELAY}, {roles.DESK} TO login_{name}")
        store = PostgresStore.open(Address.parse(postgres_server.url(name, f"login_{name}")), Quota())
        try:
            results = store.commit(
                [], [], [lambda c: c.exec_driver_sql("SELECT make_traffic_days(20000, 20003)").scalar()]
            )
            assert results.results == [4]
            with store.metadata_reader() as reader:
                assert reader.select(sqlalchemy.select(tables.traffic.c.id)) == []
        finally:
            store.close()
            with postgres_server.connect(name) as connection:
                connection.execute(f"DROP ROLE login_{name}")


def _may(new_database: str, role: str, statement: str) -> bool:
    """Whether the role may do this. Nothing comes of it."""
    with psycopg.connect(new_database) as connection:
        connection.execute(f"SET ROLE {role}")
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
        finally:
            connection.rollback()
    return True
