"""`blindrelay status`, `doctor`, `backup` and `restore`, with a relay that runs and its witness."""

import json
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from support.commands import Ran

from .test_own_witness import Up, founded, published, up

Run = Callable[..., Ran]


@pytest.fixture
def running(home: Path) -> Iterator[Up]:
    """A relay at its usual place, with a desk, and its witness."""
    with up(home / "relay", "--port", "0") as relay:
        yield relay


def test_status_shows_how_it_does(running: Up, home: Path, blindrelay: Run) -> None:
    """A table for people, the endpoint's own JSON for programs, exit code 0."""
    shown = blindrelay("status")
    assert shown.code == ExitCode.OK
    for words in ("serves clients", "connections", "0 accepted", "log directory"):
        assert words in shown.out
    found = json.loads(blindrelay("status", "--json").out)
    assert (found["ready"], found["tenants"]) == (True, 0)
    assert json.loads(blindrelay("status", "--url", running.said["operations"], "--json").out)["ready"]


def test_status_without_a_relay_says_what_to_do(home: Path, blindrelay: Run) -> None:
    """Exit code 4, and a sentence."""
    ran = blindrelay("status")
    assert ran.code == ExitCode.RELAY_UNREACHABLE
    assert "blindrelay up" in ran.err
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    assert blindrelay("status", "--url", f"http://127.0.0.1:{port}").code == ExitCode.RELAY_UNREACHABLE
    assert blindrelay("status", "--url", "file:///etc/passwd").code == ExitCode.RELAY_UNREACHABLE


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """An endpoint that says what a test wants."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_status_of_a_relay_that_is_not_well(running: Up, blindrelay: Run) -> None:
    """Exit code 18, and each thing that is wrong in a sentence; what answers and is no relay is told apart."""
    found = json.loads(blindrelay("status", "--json").out)
    found["ready"], found["fault"], found["logs"][0]["failing"] = False, "the store failed", True
    with answering(json.dumps(found).encode()) as url:
        ran = blindrelay("status", "--url", url)
    assert ran.code == ExitCode.UNHEALTHY
    assert "the store failed" in ran.err
    assert "the public log directory cannot be published" in ran.err
    with answering(b'{"hello": 1}') as url:
        ran = blindrelay("status", "--url", url)
    assert ran.code == ExitCode.RELAY_UNREACHABLE
    assert "no relay's operations endpoint" in ran.err


def test_the_doctor_looks_at_a_relay_that_runs(running: Up, home: Path, blindrelay: Run) -> None:
    """Nothing is wrong; what is, is found, with the exit code for scripts."""
    ran = blindrelay("doctor", "--json")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == ExitCode.OK
    assert {"permissions", "ports", "store", "logs", "backup"} <= {one["check"] for one in found}
    assert blindrelay("doctor", "--strict").code == ExitCode.UNHEALTHY  # there is no backup yet
    (home / "relay" / "relay.key").chmod(0o644)
    ran = blindrelay("doctor")
    assert ran.code == ExitCode.UNHEALTHY
    assert "relay.key" in ran.out.replace("\n", "").replace(" ", "")
    assert "chmod" in ran.out


def test_the_doctor_wants_a_relay(home: Path, blindrelay: Run) -> None:
    """A folder that is none is a sentence."""
    ran = blindrelay("doctor", "--data-dir", home / "nothing")
    assert ran.code == ExitCode.DATA_DIRECTORY_UNREADABLE
    assert "is no data directory" in ran.err


def test_a_backup_is_put_back_with_its_witness(running: Up, home: Path, blindrelay: Run, tmp_path: Path) -> None:
    """Taken while it runs; put back after the disk is lost, it is the same relay, and its witness goes on cosigning."""
    founded(blindrelay, home / "relay", "acme.example")
    published(blindrelay, home / "relay", 0)
    ran = blindrelay("backup", tmp_path / "backup", "--json")
    assert ran.code == ExitCode.OK
    told = json.loads(ran.out)
    assert (told["tenants"], told["logs"]) == (1, {"directory": 1})
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    shutil.rmtree(home / "relay")
    shutil.rmtree(home / "witness")

    ran = blindrelay("restore", tmp_path / "backup")
    assert ran.code == ExitCode.OK
    assert "was not asked" in ran.err
    with up(home / "relay") as again:
        assert again.said["witness"]["key"] == running.said["witness"]["key"]
        assert again.said["registration_code"] == running.said["registration_code"]
        founded(blindrelay, home / "relay", "globex.example")
        published(blindrelay, home / "relay", 1)


def test_a_log_does_not_go_back(running: Up, home: Path, blindrelay: Run, tmp_path: Path) -> None:
    """A witness that runs has seen more than the backup: it is refused with what that would mean, and with what to do."""
    founded(blindrelay, home / "relay", "acme.example")
    published(blindrelay, home / "relay", 0)
    assert blindrelay("backup", tmp_path / "backup").code == ExitCode.OK
    assert blindrelay("restore", tmp_path / "backup", "--verify").code == ExitCode.OK
    founded(blindrelay, home / "relay", "globex.example")
    published(blindrelay, home / "relay", 1)

    for option in ("--verify", "--data-dir"):
        ran = blindrelay(
            "restore", tmp_path / "backup", option, *([tmp_path / "new"] if option == "--data-dir" else [])
        )
        assert ran.code == ExitCode.DATA_DIRECTORY_UNREADABLE
        assert "has seen 2 entries of the log directory" in ran.err
        assert "newer backup" in ran.err
    assert not (tmp_path / "new").exists()
    assert blindrelay("restore", tmp_path / "backup", "--offline", "--data-dir", tmp_path / "new").code == ExitCode.OK


def test_what_is_there_is_not_overwritten(running: Up, home: Path, blindrelay: Run, tmp_path: Path) -> None:
    """Exit code 19, for a backup and for what is put back."""
    assert blindrelay("backup", tmp_path / "backup").code == ExitCode.OK
    assert blindrelay("backup", tmp_path / "backup").code == ExitCode.NOT_EMPTY
    assert blindrelay("restore", tmp_path / "backup").code == ExitCode.NOT_EMPTY


def test_state_in_postgresql_is_not_backed_up_here(home: Path, blindrelay: Run, tmp_path: Path) -> None:
    """Half a backup would be none: the message says what to do instead."""
    (home / "relay").mkdir(parents=True)
    (home / "relay" / "blindrelay.toml").write_text('store = "postgresql://relay@db.example/blindrelay"\n')
    ran = blindrelay("backup", tmp_path / "backup")
    assert ran.code == ExitCode.USAGE
    assert "pg_dump" in ran.err
