"""`blindrelay store copy` and `verify`, as commands."""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.relay.store.sqlite import SqliteStore
from support.commands import Ran

Run = Callable[..., Ran]


@pytest.fixture
def data(home: Path) -> Path:
    """A relay at its usual place, that has stopped."""
    folder = home / "relay"
    folder.mkdir(parents=True, mode=0o700)
    SqliteStore.open(folder / "relay.db", reserve_bytes=0).close()
    (folder / "desk.sqlite").write_bytes(b"")
    for name in ("relay.key", "relay.crt"):
        (folder / name).write_text("its own")
    return folder


def test_it_has_to_be_said_where_to(data: Path, blindrelay: Run) -> None:
    ran = blindrelay("store", "copy")
    assert ran.code == ExitCode.USAGE
    assert "--store postgresql://OWNER@HOST/DATABASE" in ran.err


def test_a_relay_that_is_on_postgresql_is_not_moved_there(data: Path, blindrelay: Run) -> None:
    (data / "blindrelay.toml").write_text('store = "postgresql://relay@db.example/blindrelay"\n')
    ran = blindrelay("store", "copy", "--store", "postgresql://owner@/x")
    assert ran.code == ExitCode.USAGE
    assert "keeps its state in PostgreSQL already" in ran.err


def test_an_identity_is_not_made_over_something(data: Path, home: Path, blindrelay: Run) -> None:
    """Before anything is copied."""
    ran = blindrelay("store", "copy", "--store", "postgresql://owner@/x", "--identity-dir", data)
    assert ran.code == ExitCode.NOT_EMPTY


@pytest.mark.needs("initdb")
class TestWithADatabase:
    """The real thing."""

    def test_says_what_was_copied_and_what_is_left_to_do(
        self, data: Path, home: Path, new_database: str, blindrelay: Run
    ) -> None:
        ran = blindrelay("store", "copy", "--store", new_database, "--identity-dir", home / "identity")
        assert ran.code == ExitCode.OK, ran.err
        for words in ("rows copied and compared", "relay.key, relay.crt", "desk.sqlite", "cases", "blindrelay up"):
            assert words in ran.out
        assert (home / "identity" / "relay.key").read_text() == "its own"
        assert (home / "identity" / "cluster.key").exists()
        assert (home / "identity" / "relay.key").stat().st_mode & 0o777 == 0o600

    def test_the_same_for_programs(self, data: Path, new_database: str, blindrelay: Run) -> None:
        """One object: rows and digest of each table, what is given next, what is beside."""
        said = json.loads(blindrelay("store", "copy", "--store", new_database, "--json").out)
        assert {"from", "to", "rows", "tables", "log", "numbers", "beside"} == set(said)
        assert all(len(table["sha256"]) == 64 for table in said["tables"])
        again = json.loads(blindrelay("store", "verify", "--store", new_database, "--json").out)
        assert again == said

    def test_a_copy_that_differs_has_an_exit_code_of_its_own(
        self, data: Path, new_database: str, blindrelay: Run
    ) -> None:
        assert blindrelay("store", "copy", "--store", new_database).code == ExitCode.OK
        with psycopg.connect(new_database) as connection:
            connection.execute("INSERT INTO tenant (name, root, registered_day) VALUES ('a', '', 1)")
        ran = blindrelay("store", "verify", "--store", new_database)
        assert ran.code == ExitCode.COPY_DIFFERS
        assert "tenant: there is a row too many (name a)" in ran.err
