"""`blindrelay up`: a relay in the foreground, and what keeps it from starting."""

import contextlib
import json
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from support.commands import Ran

Process = Callable[..., "subprocess.CompletedProcess[str]"]


@contextlib.contextmanager
def up(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A relay on a free port, killed in the end if it still runs."""
    command = [sys.executable, "-m", "blindrelay", "up", "--data-dir", str(folder), "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: "subprocess.Popen[str]") -> str:
    """What it says first: it listens then."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_makes_its_directory_and_stops_cleanly_when_asked(
    tmp_path: Path, blindrelay: Callable[..., Ran], number: signal.Signals
) -> None:
    """The first start makes a directory for the owner alone; SIGINT and SIGTERM end it with exit code 0."""
    folder = tmp_path / "deep" / "relay"
    with up(folder) as process:
        assert "is up" in first_line(process)
        assert blindrelay("up", "--check", "--data-dir", folder).code == ExitCode.OK
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
        process.wait(30)

    assert process.returncode == ExitCode.OK
    assert (folder / "registration-code").read_text().strip() in out
    assert "tenant register acme.example" in out
    assert "Traceback" not in err
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_dir()} == {0o700}
    assert not (folder / "endpoint.json").exists()
    assert blindrelay("up", "--check", "--data-dir", folder).code == ExitCode.RELAY_UNREACHABLE


def test_programs_get_its_address_as_json(tmp_path: Path) -> None:
    """With --json the banner is one object, written when it listens."""
    with up(tmp_path, "--json") as process:
        banner = json.loads(first_line(process))
        with socket.create_connection((banner["host"], banner["port"]), timeout=10):
            pass
        assert banner["data_directory"] == str(tmp_path)
        assert Path(banner["certificate"]).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        assert banner["registration_code"] == (tmp_path / "registration-code").read_text().strip()


def test_port_in_use_is_a_sentence(process: Process, tmp_path: Path) -> None:
    """It names the address, says what to do, and leaves its data directory usable."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # Without a desk: it would be on the next port, which may be taken, too.
        ended = process("up", "--data-dir", tmp_path, "--port", port, "--no-desk")
    assert ended.returncode == ExitCode.ADDRESS_IN_USE
    assert f"127.0.0.1:{port}" in ended.stderr
    assert_one_sentence(ended)
    with up(tmp_path) as again:
        assert "is up" in first_line(again)


def test_two_relays_do_not_share_a_directory(process: Process, tmp_path: Path) -> None:
    """The second one is told, and does not take the first one's address away."""
    with up(tmp_path) as running:
        first_line(running)
        before = (tmp_path / "endpoint.json").read_bytes()
        ended = process("up", "--data-dir", tmp_path, "--port", 0)
        assert ended.returncode == ExitCode.DATA_DIRECTORY_IN_USE
        assert_one_sentence(ended)
        assert (tmp_path / "endpoint.json").read_bytes() == before


def test_directory_of_a_newer_version_is_not_touched(process: Process, tmp_path: Path) -> None:
    """Whatever a newer release left is for that release."""
    (tmp_path / "version").write_text("99\n")
    ended = process("up", "--data-dir", tmp_path, "--port", 0)
    assert ended.returncode == ExitCode.NEWER_VERSION
    assert "newer release" in ended.stderr
    assert_one_sentence(ended)
    assert not (tmp_path / "relay.key").exists()


def test_database_of_a_newer_version_is_not_touched(process: Process, tmp_path: Path) -> None:
    """A newer schema is told apart from a damaged file."""
    with up(tmp_path) as running:
        first_line(running)
        running.terminate()
        running.wait(30)
    with contextlib.closing(sqlite3.connect(tmp_path / "relay.db")) as database:
        database.execute("PRAGMA user_version = 999")
    ended = process("up", "--data-dir", tmp_path, "--port", 0)
    assert ended.returncode == ExitCode.NEWER_VERSION
    assert_one_sentence(ended)


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"])
def test_unreadable_key_is_a_sentence(process: Process, tmp_path: Path, damage: bytes) -> None:
    """A key that is none is named; it is not replaced by a new one that no client trusts."""
    with up(tmp_path) as running:
        first_line(running)
        running.terminate()
        running.wait(30)
    (tmp_path / "relay.key").write_bytes(damage)
    ended = process("up", "--data-dir", tmp_path, "--port", 0)
    assert ended.returncode == ExitCode.DATA_DIRECTORY_UNREADABLE
    assert "relay.key" in ended.stderr
    assert_one_sentence(ended)
    assert (tmp_path / "relay.key").read_bytes() == damage


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = ", "not a TOML file"),
        ("prot = 8883", "prot"),
        ('port = "8883"', "port"),
        ("port = 70000", "70000"),
        ("[limits]\ndevice_rate = -1", "limits.device_rate"),
        ("[retention]\ntraffic_days = 0", "retention.traffic_days"),
    ],
)
def test_configuration_that_is_wrong_names_the_key(
    blindrelay: Callable[..., Ran], tmp_path: Path, text: str, named: str
) -> None:
    """File, key, value and what was expected; and nothing is started."""
    file = tmp_path / "relay.toml"
    file.write_text(text)
    ran = blindrelay("up", "--config", file, "--data-dir", tmp_path / "data")
    assert ran.code == ExitCode.BAD_CONFIGURATION
    assert named in ran.err
    assert str(file) in ran.err
    assert not (tmp_path / "data").exists()


def test_configuration_that_is_not_there_is_an_error(blindrelay: Callable[..., Ran], tmp_path: Path) -> None:
    """A file that was named on the command line is never silently replaced by the defaults."""
    assert blindrelay("up", "--config", tmp_path / "none.toml").code == ExitCode.BAD_CONFIGURATION


def test_file_in_place_of_the_directory_is_a_usage_error(blindrelay: Callable[..., Ran], tmp_path: Path) -> None:
    """A data directory is a directory."""
    (tmp_path / "file").touch()
    assert blindrelay("up", "--data-dir", tmp_path / "file").code == ExitCode.USAGE


def assert_one_sentence(ended: "subprocess.CompletedProcess[str]") -> None:
    """No traceback, no second line."""
    complaints = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(complaints) == 1
    assert complaints[0].startswith("blindrelay: ")
    assert ended.stdout == ""
