"""What is not in the inventory is found, wherever it is."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from support.one_proof import OneProof
from support.somebody import Somebody, reasons


@pytest.mark.parametrize("name", ["spool/1", ".diary.new", "relay.db.old", "witness/diary", "packages/x.package"])
def test_a_file_that_a_data_directory_does_not_have(name: str, waiting: Somebody) -> None:
    """Whatever is in it."""
    (waiting.data / name).parent.mkdir(exist_ok=True)
    (waiting.data / name).touch()

    assert reasons(waiting.examine("inventory")) == {"file"}


@pytest.mark.parametrize("name", ["endpoint.json", ".endpoint.json.new", "witness/witness.key", "witness/lock"])
def test_a_file_that_it_may_have(name: str, waiting: Somebody) -> None:
    """That of a relay that runs, of its witness, and one that is being written."""
    (waiting.data / name).parent.mkdir(exist_ok=True)
    (waiting.data / name).touch()

    assert reasons(waiting.examine("inventory")) == set()


def test_what_is_no_file_is_not_followed(waiting: Somebody, tmp_path: Path) -> None:
    """A link to a folder leads out of what was named, and perhaps in a circle."""
    (waiting.data / "elsewhere").symlink_to(tmp_path)

    verdict = waiting.examine("inventory")

    assert reasons(verdict) == {"file"}
    assert "elsewhere is neither a file nor a folder" in verdict.findings[0].text


@pytest.mark.parametrize("database", ["relay.db", "desk.sqlite"])
def test_a_column_that_is_not_declared(database: str, waiting: Somebody) -> None:
    """In either database."""
    waiting.sql("CREATE TABLE draft (subject TEXT)", database=database)

    verdict = waiting.examine("inventory")

    assert reasons(verdict) == {"column"}
    assert "draft.subject" in verdict.findings[0].text


def test_a_column_of_a_backup(waiting: Somebody, tmp_path: Path) -> None:
    """Whatever the backup is called: by its tables it is known which database it is of."""
    shutil.copytree(waiting.data, tmp_path / "backup")
    backup = Somebody(tmp_path / "backup", waiting.now)
    backup.desk("CREATE TABLE draft (subject TEXT)")
    (tmp_path / "backup" / "desk.sqlite").rename(tmp_path / "of-monday")

    verdict = waiting.examine("inventory", backups=(tmp_path / "of-monday",))

    assert [finding.reason for finding in verdict.findings] == ["column"]
    assert f"{tmp_path}/of-monday has the column draft.subject" in verdict.findings[0].text


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "line",
    [json.dumps({"event": "stopped", "subject": "Lunch"}), json.dumps({"event": "Lunch at noon"}), "Lunch at noon"],
)
def test_a_log_line_that_is_not_of_the_relay(line: str, pack: type[bytes], waiting: Somebody, tmp_path: Path) -> None:
    """A key, a sentence, or a line that is none; in a log that was put away, too."""
    (tmp_path / "relay.log").write_bytes(pack(f"{line}\n".encode()))

    assert reasons(waiting.examine("inventory", logs=(tmp_path / "relay.log",))) == {"log-key"}


def test_the_logs_of_a_run_are_as_they_should_be(waiting: Somebody, proved: OneProof) -> None:
    """A folder of logs is all that is in it."""
    folder = waiting.data.parent / "logs"
    folder.mkdir()
    shutil.copy(proved.folder / "evidence" / "relay.log", folder)
    (folder / "relay.log.1.gz").write_bytes(gzip.compress(b"blindrelay: 127.0.0.1:8883 is taken\n"))

    verdict = waiting.examine("inventory", logs=(folder,))

    assert reasons(verdict) == set()
    assert verdict.examined["lines of the log"] > 10
    assert verdict.examined["complaints of the command line"] == 1


def test_a_log_that_is_damaged_is_none(waiting: Somebody, tmp_path: Path) -> None:
    """It does not pass for want of lines."""
    (tmp_path / "relay.log.1.gz").write_bytes(gzip.compress(b"{}")[:-6])

    assert reasons(waiting.examine("inventory", logs=(tmp_path / "relay.log.1.gz",))) == {"log-key"}
