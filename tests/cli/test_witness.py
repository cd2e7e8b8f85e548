"""`blindrelay witness`: a witness in the foreground, its folder from outside, and what keeps it from starting."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust, Witness, parse_witness
from blindrelay.protocol.transparency.submission import decode_cosignatures
from blindrelay.witness.folder import Folder, origin_hash
from support.commands import Ran
from support.party import HandClock
from support.witnessed import HONEST, ORIGIN, Operator, cosigner_in, forked

Run = Callable[..., Ran]
OPERATOR: Final = Operator()
LOG: Final = str(OPERATOR.key.verifier)


@contextlib.contextmanager
def running(folder: Path, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A witness on a free port, killed in the end if it still runs."""
    command = [sys.executable, "-m", "blindrelay", "witness", "run", str(folder), "--port", "0"]
    with subprocess.Popen(
        [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_object(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a witness that has stopped, and has cosigned three entries."""
    with cosigner_in(tmp_path / "w", HandClock(), OPERATOR.key.verifier) as cosigner:
        cosigner.submit(OPERATOR.submission(0, 3))
    return tmp_path / "w"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Address, key, folder, and the line of a policy that names it; SIGINT and SIGTERM end it with exit code 0."""
    with running(tmp_path / "w", "--name", "w.example", "--log", LOG, "--public-url", "https://w.example") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = ""
        while "stops it" not in head:
            head += process.stdout.readline()
        process.send_signal(number)
        rest, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == ExitCode.OK
    assert (rest.strip(), err) == ("stopped; everything that was cosigned is on disk", "")
    (line,) = [line.strip() for line in head.splitlines() if line.strip().startswith("witness ")]
    assert parse_witness(line).key == Folder.read(tmp_path / "w").keys[0].verifier
    assert (parse_witness(line).name, parse_witness(line).url) == ("w.example", "https://w.example")
    assert ORIGIN in head


def test_programs_get_objects(tmp_path: Path) -> None:
    """One when it listens, and one for what becomes of each submission; the next start remembers it."""
    with running(tmp_path, "--json", "--log", LOG) as process:
        ready = next_object(process)
        answer = httpx.post(f"{ready['url']}/add-checkpoint", content=OPERATOR.submission(0, 3))
        assert next_object(process) == {
            "event": "cosigned",
            "origin": ORIGIN,
            "size": 3,
            "root": HONEST.root(3).hex(),
        }
        httpx.post(f"{ready['url']}/add-checkpoint", content=b"nonsense")
        httpx.post(f"{ready['url']}/add-checkpoint", content=OPERATOR.submission(3, 5, forked(1)))
        assert next_object(process)["event"] == "NotProved"
        process.terminate()
        process.wait(30)
    note = OPERATOR.note(3).with_signature(*decode_cosignatures(answer.content))
    assert cosigned_at(note, VerifierKey.parse(ready["key"])) is not None
    assert (ready["logs"], ready["folder"]) == ([ORIGIN], str(tmp_path))
    with running(tmp_path, "--json") as process:
        again = next_object(process)
    assert (again["key"], again["logs"]) == (ready["key"], [ORIGIN])


def test_with_verbose_it_tells_of_everything(folder: Path) -> None:
    """What anybody can send as often as they like is passed over otherwise."""
    with running(folder, "--json", "--verbose") as process:
        url = next_object(process)["url"]
        for body in (b"nonsense", OPERATOR.submission(0, 3)):
            httpx.post(f"{url}/add-checkpoint", content=body)
        assert [next_object(process)["event"] for _ in range(2)] == ["Malformed", "Conflict"]


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """With --die-with-parent, however the parent ends."""
    parent_program = (
        "import subprocess, sys; child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True);"
        "print(child.pid, child.stdout.readline(), end='', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-m", "blindrelay", "witness", "run", str(tmp_path), "--port", "0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", parent_program, *command, "--die-with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid, ready = parent.stdout.readline().split(" ", 1)
        child = psutil.Process(int(pid))
        assert httpx.get(f"{json.loads(ready)['url']}/key").status_code == 200
        parent.kill()
    _, alive = psutil.wait_procs([child], timeout=30)
    assert not alive
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))):
        assert Folder.read(tmp_path).logs() == []


@pytest.mark.parametrize("form", ["key", "keys", "policy"])
def test_a_log_is_named_in_three_ways(blindrelay: Run, folder: Path, tmp_path: Path, form: str) -> None:
    """By its key, by a file of keys, and by the policy that it publishes, whose other lines are no logs."""
    new = SigningKey.generate(ORIGIN).verifier
    witness = SigningKey.generate("v.example", Algorithm.COSIGNATURE).verifier
    texts = {
        "keys": f"# of the relay at example.org\n\n{new}\n",
        "policy": str(Trust.threshold(new, (Witness("v", witness, "https://v.example"),), 1)),
    }
    given: object = new
    if form in texts:
        given = tmp_path / "directory.policy"
        Path(str(given)).write_text(texts[form])
    ran = blindrelay("witness", "add-log", folder, given, "--json")
    assert ran.code == ExitCode.OK
    assert json.loads(ran.out) == {"origin": ORIGIN, "keys": [LOG, str(new)]}
    assert Folder.read(folder).log(ORIGIN).keys == (OPERATOR.key.verifier, new)


def test_a_log_is_added_while_it_runs(blindrelay: Run, tmp_path: Path) -> None:
    """The next submission is cosigned, without a restart."""
    with running(tmp_path, "--json") as process:
        url = next_object(process)["url"]
        assert httpx.post(f"{url}/add-checkpoint", content=OPERATOR.submission(0, 3)).status_code == 404
        assert "knows log.example/directory" in blindrelay("witness", "add-log", tmp_path, LOG).out
        assert httpx.post(f"{url}/add-checkpoint", content=OPERATOR.submission(0, 3)).status_code == 200


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing.policy", "is no verifier key"),
        (LOG.replace("AQ", "AR").replace("Af", "Ag")[:-3], "is no verifier key"),
        (OPERATOR.key.encode(), "this is a private key"),
    ],
    ids=["no file", "a slip of the pen", "a private key"],
)
def test_what_is_no_log_is_a_usage_error(blindrelay: Run, folder: Path, text: str, why: str) -> None:
    """It says what was expected, and never repeats a secret."""
    ran = blindrelay("witness", "add-log", folder, text)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert why in " ".join(ran.err.split())
    assert OPERATOR.key.encode()[-20:] not in ran.err


@pytest.mark.parametrize("text", ["", "# nothing\n", "hello world\n", "witness x y\n", "log\n"])
def test_a_file_without_logs_is_a_usage_error(blindrelay: Run, folder: Path, tmp_path: Path, text: str) -> None:
    """As is one that means something else."""
    (tmp_path / "file").write_text(text)
    ran = blindrelay("witness", "add-log", folder, tmp_path / "file")
    assert ran.code == ExitCode.USAGE
    assert "neither a log's verifier key nor a file" in " ".join(ran.err.split())


def test_status_says_how_far_each_log_has_come(blindrelay: Run, folder: Path) -> None:
    """Size, root, when, and where anybody reads it; a log that never asked says so."""
    blindrelay("witness", "add-log", folder, SigningKey.generate("a.example/log").verifier)
    fresh, known = (json.loads(line) for line in blindrelay("witness", "status", folder, "--json").out.splitlines())
    assert (fresh["origin"], fresh["size"], fresh["cosigned"]) == ("a.example/log", None, None)
    assert known == {
        "origin": ORIGIN,
        "keys": [LOG],
        "size": 3,
        "root": HONEST.root(3).hex(),
        "cosigned": "2027-01-15T08:00:00+00:00",
        "address": f"/{origin_hash(ORIGIN)}/checkpoint",
        "split_views": [],
    }
    text = blindrelay("witness", "status", folder)
    assert text.code == ExitCode.OK
    assert f"{ORIGIN}\n  size      3\n" in text.out
    assert "not yet" in text.out


def test_status_names_the_proof_that_a_log_shows_two_histories(blindrelay: Run, folder: Path) -> None:
    """On stderr, with exit code 1, so that whoever watches the witness notices; the files convict the log."""
    with running(folder, "--json") as process:
        url = next_object(process)["url"]
        assert httpx.post(f"{url}/add-checkpoint", content=OPERATOR.submission(3, 3, forked(0))).status_code == 409
        assert next_object(process)["event"] == "SplitView"
    ran = blindrelay("witness", "status", folder, "--json")
    assert ran.code == ExitCode.FAILED
    files = json.loads(ran.out)["split_views"]
    assert all(file in ran.err for file in files)
    notes = [Note.parse(Path(file).read_bytes()) for file in files]
    assert len({Checkpoint.parse(note.text).root for note in notes}) == 2
    assert all(note.is_signed_by(OPERATOR.key.verifier) for note in notes)


def test_status_of_a_witness_without_logs_says_what_to_do(blindrelay: Run, tmp_path: Path) -> None:
    """Which is to add one."""
    with cosigner_in(tmp_path, HandClock()):
        pass
    ran = blindrelay("witness", "status", tmp_path)
    assert (ran.code, "add-log" in ran.out) == (ExitCode.OK, True)


def test_keys_are_printed_for_scripts(blindrelay: Run, folder: Path) -> None:
    """A verifier key is a line, and all of the line."""
    (own,) = Folder.read(folder).keys
    assert blindrelay("witness", "key", folder).out == f"{own.verifier}\n"
    assert json.loads(blindrelay("witness", "key", folder, "--json").out)["key_id"] == own.verifier.key_id.hex()


def test_a_key_is_changed_in_two_steps(blindrelay: Run, folder: Path) -> None:
    """One more, with which everything known is cosigned; then the old one goes. Never the only one."""
    (old,) = Folder.read(folder).keys
    first, second = blindrelay("witness", "key", folder, "--new").out.splitlines()
    assert first == str(old.verifier)
    found = Folder.read(folder)
    last = found.last(found.log(ORIGIN))
    assert cosigned_at(last.note, VerifierKey.parse(second)) is not None
    assert blindrelay("witness", "key", folder, "--retire", old.verifier.key_id.hex()).out == f"{second}\n"
    assert Folder.read(folder).last(found.log(ORIGIN)).head.size == 3
    for key_id in (second.split("+")[1], "00000000"):
        assert blindrelay("witness", "key", folder, "--retire", key_id).code == ExitCode.MALFORMED
    assert blindrelay("witness", "key", folder, "--new", "--retire", "00000000").code == ExitCode.USAGE


def test_two_witnesses_do_not_share_a_folder(blindrelay: Run, folder: Path) -> None:
    """Nor does anybody change keys under one that runs; what only looks may look."""
    with running(folder, "--json") as process:
        next_object(process)
        for command in (["run", folder, "--port", 0], ["key", folder, "--new"]):
            ran = blindrelay("witness", *command)
            assert (ran.code, ran.out) == (ExitCode.DATA_DIRECTORY_IN_USE, "")
            assert "stop it first" in ran.err
        assert blindrelay("witness", "status", folder).code == ExitCode.OK
        assert blindrelay("witness", "key", folder).code == ExitCode.OK


@pytest.mark.parametrize("command", ["status", "key", "add-log"])
def test_a_folder_without_a_witness_is_not_made_into_one(blindrelay: Run, tmp_path: Path, command: str) -> None:
    """A mistyped path is an error, with what would make a witness there."""
    ran = blindrelay("witness", command, tmp_path / "typo", *([LOG] if command == "add-log" else []))
    assert (ran.code, ran.out) == (ExitCode.NOT_ENROLLED, "")
    assert "blindrelay witness run" in ran.err
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("command", ["status", "run"])
def test_a_damaged_memory_is_a_sentence(blindrelay: Run, folder: Path, command: str) -> None:
    """Which file, and what not to do about it."""
    (file,) = folder.glob("logs/*/checkpoint")
    file.write_bytes(file.read_bytes()[:-30])
    ran = blindrelay("witness", command, folder)
    assert (ran.code, ran.out) == (ExitCode.DATA_DIRECTORY_UNREADABLE, "")
    assert str(file) in ran.err
    assert "from an older copy" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_port_that_is_taken_is_a_sentence(blindrelay: Run, tmp_path: Path) -> None:
    """It names the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = blindrelay("witness", "run", tmp_path, "--port", port)
    assert (ran.code, ran.out) == (ExitCode.ADDRESS_IN_USE, "")
    assert f"127.0.0.1:{port}" in ran.err


@pytest.mark.parametrize("option", ["--certificate", "--key"])
def test_half_a_certificate_is_a_usage_error(blindrelay: Run, tmp_path: Path, option: str) -> None:
    """HTTPS needs both; nothing is made."""
    ran = blindrelay("witness", "run", tmp_path / "w", option, tmp_path / "file.pem")
    assert ran.code == ExitCode.USAGE
    assert not (tmp_path / "w").exists()


def test_its_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask."""
    previous = os.umask(0)
    try:
        with running(tmp_path / "w", "--json", "--log", LOG) as process:
            next_object(process)
    finally:
        os.umask(previous)
    assert {path.stat().st_mode & 0o077 for path in [tmp_path / "w", *(tmp_path / "w").rglob("*")]} == {0}
