"""`blindrelay prove`: what it prints, what it writes, how it ends, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
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

Run = Callable[..., Ran]


def start(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """A proof as a process of its own; whatever it leaves behind is below `folder`."""
    folder.mkdir(parents=True)
    return subprocess.Popen(
        [sys.executable, "-m", "blindrelay", "prove", "--quick", "--check", "forms", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )


def processes_below(folder: Path) -> list[psutil.Process]:
    """Those whose temporary files would be there: a proof, and everybody whom it has started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR", "").startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    """One proof, with one check, and everything that can be had of it: what was printed, and where the files are."""
    folder = tmp_path_factory.mktemp("proved")
    with start(folder / "tmp", "--json", "--html", folder / "proof.html", "--keep", folder / "evidence") as process:
        out, err = process.communicate()
    assert processes_below(folder) == []
    return Ran(process.returncode, out, err), folder


@pytest.fixture(scope="module")
def proof(proved: tuple[Ran, Path]) -> dict[str, Any]:
    """The same, as JSON."""
    (line,) = proved[0].out.splitlines()
    return dict(json.loads(line))


def test_what_is_being_done_is_told_on_stderr(proved: tuple[Ran, Path]) -> None:
    """A line each where it is no terminal; stdout is for the verdict."""
    lines = [line.strip() for line in proved[0].err.splitlines()]

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


def test_exit_code_is_0_when_nothing_was_found(proved: tuple[Ran, Path]) -> None:
    """As a shell has it."""
    assert proved[0].code == ExitCode.OK


def test_a_page_is_written_and_nothing_beside_it(proved: tuple[Ran, Path]) -> None:
    """Not even for a while: whoever looks finds all of it or nothing."""
    folder = proved[1]

    assert "Nothing came out." in (folder / "proof.html").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["evidence", "proof.html", "tmp"]


def test_evidence_is_kept_where_it_was_asked_for(proved: tuple[Ran, Path]) -> None:
    """And nowhere else."""
    folder = proved[1]

    assert (folder / "evidence" / FILE).exists()
    assert list((folder / "tmp").iterdir()) == []


def test_ctrl_c_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    """While a relay runs and everybody writes."""
    folder = tmp_path / "tmp"
    with start(folder, "--html", tmp_path / "proof.html") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "people write" in line:
                break
        started = processes_below(folder)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()

    assert len(started) == 3, "the proof, whoever makes the evidence, and the relay"
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
