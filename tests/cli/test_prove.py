"""`blindrelay prove`: what it prints, what it writes, how it ends, and what it leaves behind."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.proofs import reports
from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.evidence.manifest import FILE
from support.commands import Ran
from support.one_proof import OneProof, processes_below, start

Run = Callable[..., Ran]


@pytest.fixture
def proof(proved: OneProof) -> dict[str, Any]:
    """The proof, as JSON."""
    return proved.record


def test_what_is_being_done_is_told_on_stderr(proved: OneProof) -> None:
    """A line each where it is no terminal; stdout is for the verdict."""
    lines = [line.strip() for line in proved.ran.err.splitlines()]

    assert lines[0] == "a relay, enterprises in six jurisdictions, their people and authorities"
    assert lines[-1] == catalogue.find("forms").title


def test_json_is_one_object_of_the_documented_form(proof: dict[str, Any]) -> None:
    """With the verdict, by lock, and what the run was."""
    assert (proof["format"], proof["passed"], proof["quick"], proof["troubles"]) == (reports.FORMAT, True, True, [])
    assert proof["run"]["letters"] > 50
    (lock,) = proof["locks"]
    (check,) = lock["checks"]
    assert (lock["lock"], check["check"], check["passed"], check["findings"]) == ("form", "forms", True, [])
    assert all(check["examined"][what] for what in catalogue.find("forms").needs)


def test_a_part_is_not_shown_as_the_whole(proof: dict[str, Any]) -> None:
    """Checks that nobody has asked for are named."""
    assert proof["left_out"] == dict.fromkeys(
        (name for name in catalogue.NAMES if name != "forms"), "nobody has asked for it"
    )


def test_exit_code_is_0_when_nothing_was_found(proved: OneProof) -> None:
    """As a shell has it."""
    assert proved.ran.code == ExitCode.OK


def test_a_page_is_written_and_nothing_beside_it(proved: OneProof) -> None:
    """Not even for a while: whoever looks finds all of it or nothing."""
    folder = proved.folder

    assert "Nothing came out." in (folder / "proof.html").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["evidence", "proof.html", "ran.json", "tmp"]


def test_evidence_is_kept_where_it_was_asked_for(proved: OneProof) -> None:
    """And nowhere else."""
    folder = proved.folder

    assert (folder / "evidence" / FILE).exists()
    assert list((folder / "tmp").iterdir()) == []
    assert processes_below(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_process_and_no_file(number: signal.Signals, tmp_path: Path) -> None:
    """While a relay runs and everybody writes. A service manager's word does what Ctrl-C does."""
    folder = tmp_path / "tmp"
    arguments = ("--html", tmp_path / "proof.html")
    with start(folder, *arguments, in_background=number is signal.SIGTERM) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "people write" in line:
                break
        started = processes_below(folder)
        process.send_signal(number)
        _, err = process.communicate()

    assert len(started) >= 3, "the proof, whoever makes the evidence, and the relay"
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.splitlines()[-1] == "blindrelay: stopped"
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert processes_below(folder) == []
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "proof.html").exists()


# --- what makes no sense is said before anything is done


def test_evidence_is_not_mixed_with_other_files(blindrelay: Run, tmp_path: Path) -> None:
    """Its folder is empty, or new."""
    (tmp_path / "mine").write_text("mine")
    ran = blindrelay("prove", "--keep", tmp_path)

    assert ran.code == ExitCode.USAGE
    assert "is not empty: name a folder for the evidence alone" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_page_needs_a_folder(blindrelay: Run, tmp_path: Path) -> None:
    """That is found out now, and not after ten minutes."""
    ran = blindrelay("prove", "--html", tmp_path / "nowhere" / "proof.html")

    assert ran.code == ExitCode.USAGE
    assert "is no folder: name a file in one that there is" in ran.err


def test_a_matrix_is_for_the_page(blindrelay: Run, tmp_path: Path) -> None:
    """Without one there is nothing to show it on, and what is no matrix is not shown on one."""
    path = tmp_path / "matrix.json"
    path.write_text("{}")

    alone = blindrelay("prove", "--matrix", path)
    wrong = blindrelay("prove", "--matrix", path, "--html", tmp_path / "proof.html")

    assert alone.code == ExitCode.USAGE
    assert "name that, too, with --html" in alone.err
    assert wrong.code == ExitCode.MALFORMED
    assert "is no kill matrix" in wrong.err


def test_a_check_that_there_is_not_is_not_carried_out(blindrelay: Run) -> None:
    """The message names those that there are."""
    ran = blindrelay("prove", "--check", "vibes")

    assert ran.code == ExitCode.USAGE
    assert "'canary'" in ran.err


# --- somebody's relay


@pytest.fixture
def data(proved: OneProof, tmp_path: Path) -> Path:
    """A data directory of this test's own."""
    folder = tmp_path / "data"
    # As young as it was when the relay that wrote it was looked at: what is being erased just then is no finding.
    ignored = shutil.ignore_patterns("relay.db-reserve")
    shutil.copytree(proved.disk("waiting"), folder, ignore=ignored, copy_function=shutil.copy)
    return folder


def test_a_relay_that_runs_is_examined(relay: Path, office: Path, blindrelay: Run, tmp_path: Path) -> None:
    """It says what it looked at and what it did not, and there is no file more afterwards."""
    page = tmp_path / "relay.html"
    before = {path.name for path in relay.iterdir()}
    (tmp_path / "sent.txt").write_text("a text that nobody has sent\n")
    options = [part for name in ("canary", "inventory", "leaves", "retention") for part in ("--check", name)]

    ran = blindrelay("prove", "--against", relay, "--known", tmp_path / "sent.txt", *options, "--html", page, "--json")

    found = json.loads(ran.out)
    assert [check for lock in found["locks"] for check in lock["checks"] if not check["passed"]] == []
    assert (ran.code, found["passed"], found["against"]) == (ExitCode.OK, True, str(relay))
    assert found["run"]["known texts"] == 1
    assert found["left_out"]["wire"] == "what crosses the wire is on no disk"
    assert found["left_out"]["forms"] == "nobody has asked for it"
    assert {path.name for path in relay.iterdir()} == before
    assert "Nothing was found." in page.read_text()
    assert str(relay) in page.read_text()


def test_something_that_is_found_is_exit_code_1(data: Path, blindrelay: Run) -> None:
    """With its reason, on the terminal."""
    (data / "diary").touch()

    ran = blindrelay("prove", "--against", data, "--check", "inventory")

    assert ran.code == ExitCode.FAILED
    for part in (
        str(data),
        "✗ form",
        "file: diary is no file that a data directory has",
        "Not as it should be.",
        "left out",
    ):
        assert part in ran.out


def test_known_texts_come_from_standard_input(data: Path, process: Callable[..., Any]) -> None:
    """And are nowhere in what is printed, though they are found."""
    secret = "the old harbour on Tuesday"
    (data / "registration-code").write_text(secret)

    ran = process("prove", "--against", data, "--check", "canary", "--known", "-", input=f"{secret}\n")

    assert ran.returncode == ExitCode.FAILED
    assert "the text of line 1, from character 1 is in registration-code" in ran.stdout
    assert secret not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (b"", "there is no text in it"),
        (b"\n\n", "there is no text in it"),
        (b"long enough to be found\nsecret!\n", "the text of line 2 is shorter than 12 bytes"),
        (b"secret \xff\xfe", "expected texts in UTF-8"),
    ],
)
def test_texts_that_cannot_be_looked_for(texts: bytes, says: str, data: Path, tmp_path: Path, blindrelay: Run) -> None:
    """The message says which one, and not what it says."""
    (tmp_path / "sent.txt").write_bytes(texts)
    ran = blindrelay("prove", "--against", data, "--known", tmp_path / "sent.txt")

    assert ran.code == ExitCode.USAGE
    assert says in ran.err
    assert "secret" not in ran.err


def test_without_known_texts_nothing_is_said_about_letters(data: Path, blindrelay: Run) -> None:
    """It is left out, and said what to do."""
    ran = blindrelay("prove", "--against", data, "--check", "retention")

    assert ran.code == ExitCode.OK
    assert "left out: canary: no text is known that went through this relay: name some with --known" in ran.out


def test_what_is_no_data_directory(tmp_path: Path, data: Path, blindrelay: Run) -> None:
    """Each error has the exit code that a relay's own start would have."""
    ran = blindrelay("prove", "--against", tmp_path)
    assert ran.code == ExitCode.DATA_DIRECTORY_UNREADABLE
    assert "is no data directory of a relay: there is no version and no relay.db in it" in ran.err

    (data / "blindrelay.toml").write_text("[retention]\ntraffic_weeks = 1\n")
    assert blindrelay("prove", "--against", data).code == ExitCode.BAD_CONFIGURATION
    (data / "blindrelay.toml").write_text('store = "postgresql://relay@db.example/relay"\n')
    ran = blindrelay("prove", "--against", data)
    assert ran.code == ExitCode.DATA_DIRECTORY_UNREADABLE
    assert "keeps its data in PostgreSQL" in ran.err
    (data / "version").write_text("9999")
    assert blindrelay("prove", "--against", data).code == ExitCode.NEWER_VERSION


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--against", "x", "--quick"), "--quick, --keep and --check-file are for a run"),
        (("--against", "x", "--keep", "y"), "--quick, --keep and --check-file are for a run"),
        (("--log", "."), "name a data directory with that"),
        (("--backup", "."), "name a data directory with that"),
        (("--against", "x", "--check", "wire"), "--check wire: what crosses the wire is on no disk"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], says: str, blindrelay: Run) -> None:
    """Before anything is done."""
    ran = blindrelay("prove", *arguments)

    assert ran.code == ExitCode.USAGE
    assert says in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_told_to_stop_leaves_no_copy(number: signal.Signals, data: Path, tmp_path: Path) -> None:
    """It has a relay's keys in it."""
    folder = tmp_path / "tmp"
    with start(folder, "--against", data, "--check", "policy", quick=False) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "packs" in line:
                break
        assert len(list(folder.iterdir())) == 1
        started = processes_below(folder)
        process.send_signal(number)
        _, err = process.communicate()

    assert process.returncode == ExitCode.INTERRUPTED
    assert err.splitlines()[-1] == "blindrelay: stopped"
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert list(folder.iterdir()) == []
