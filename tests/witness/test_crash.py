"""Killed anywhere, a witness never signs two histories: what left its hands is on the disk, whatever else is not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.submission import Submission
from blindrelay.witness.cosigning import Cosigner
from blindrelay.witness.errors import NoWitness, Refused
from blindrelay.witness.folder import Folder
from support.killed import Guillotine, Killed
from support.party import HandClock
from support.witness_writer import STEPS, reported
from support.witnessed import HONEST, Operator, Released, cosigner_in, forked

TESTS = Path(__file__).parents[1]
FORKS = [forked(at) for at in range(9)]
#: What a witness does to the disk: the moments between which it may be killed.
EFFECTS = ("fsync", "replace", "mkdir")


def tempt(cosigner: Cosigner, operator: Operator, released: Released) -> None:
    """Offer every fork at every size, and then the honest log: what is granted has left."""
    for log in (*FORKS, HONEST):
        for old in range(9):
            for new in (8, 9):
                if old > new:
                    continue
                data = operator.submission(old, new, log)
                try:
                    _, signatures = cosigner.submit(data)
                except (Refused, Malformed):
                    continue
                released.add(Submission.parse(data).note, signatures)


def restart_and_tempt(folder: Path, operator: Operator, released: Released) -> None:
    """A witness comes up again on what is there, and whoever holds the log's key tries everything."""
    with cosigner_in(folder, HandClock(), operator.key.verifier) as cosigner:
        tempt(cosigner, operator, released)
    released.check(HONEST, *FORKS)
    assert released.heads, "somebody has got something"


@pytest.fixture
def guillotine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guillotine]:
    """A boundary before and after each effect of this process on the disk."""
    found = Guillotine()
    for name in EFFECTS:
        monkeypatch.setattr(os, name, found.around(getattr(os, name)))
    yield found
    found.at = None


def play(folder: Path, operator: Operator, released: Released) -> None:
    with cosigner_in(folder, HandClock(), operator.key.verifier) as cosigner:
        for old, new in STEPS:
            data = operator.submission(old, new)
            _, signatures = cosigner.submit(data)
            released.add(Submission.parse(data).note, signatures)


def key_of(folder: Path) -> Released | None:
    try:
        return Released(Folder.read(folder).keys[-1].verifier)
    except NoWitness:
        return None


def test_killed_at_every_boundary(tmp_path: Path, guillotine: Guillotine, operator: Operator) -> None:
    """Before and after each write, sync and rename, from the very first start on."""
    play(tmp_path / "whole", operator, Released(operator.key.verifier))
    boundaries, guillotine.passed = guillotine.passed, 0
    assert boundaries > 2 * 2 * len(STEPS)

    for at in range(boundaries):
        folder = tmp_path / str(at)
        notes = Released(operator.key.verifier)
        guillotine.at, guillotine.passed = at, 0
        with pytest.raises(Killed):
            play(folder, operator, notes)
        guillotine.at = None
        if not (folder / "witness.key").exists():
            assert notes.notes == []
        with cosigner_in(folder, HandClock(), operator.key.verifier):
            pass
        released = key_of(folder)
        assert released is not None
        released.notes = notes.notes
        restart_and_tempt(folder, operator, released)


def test_the_check_notices_a_witness_that_forgets(
    tmp_path: Path, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lets its cosignature go before the checkpoint is kept signs a second history after the next start."""

    def forget(_folder: Folder, _log: object, _note: Note) -> None:
        pass

    notes = Released(operator.key.verifier)
    with monkeypatch.context() as patched:
        patched.setattr(Folder, "keep", forget)
        with pytest.raises(Refused):
            play(tmp_path, operator, notes)
    released = key_of(tmp_path)
    assert released is not None
    released.notes = notes.notes
    with pytest.raises(AssertionError, match="two histories"):
        restart_and_tempt(tmp_path, operator, released)


def test_kept_means_on_stable_storage(tmp_path: Path, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the content is synced, then it gets its name, then that is synced, and only then does the cosignature leave."""
    done: list[str] = []
    with cosigner_in(tmp_path, HandClock(), operator.key.verifier) as cosigner:
        fsync, replace = os.fsync, os.replace

        def watched_fsync(descriptor: int) -> None:
            done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
            fsync(descriptor)

        def watched_replace(source: Path, target: Path) -> None:
            done.append(f"rename {Path(source).name} {Path(target).name}")
            replace(source, target)

        monkeypatch.setattr(os, "fsync", watched_fsync)
        monkeypatch.setattr(os, "replace", watched_replace)
        cosigner.submit(operator.submission(0, 3))
        done.append("cosigned")
        folder = next(tmp_path.glob("logs/*/checkpoint")).parent.name
    assert done == ["sync .checkpoint.new", "rename .checkpoint.new checkpoint", f"sync {folder}", "cosigned"]


def test_what_was_kept_halfway_is_durable_before_anything_is_said(
    tmp_path: Path, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A witness that was killed between a name and its sync left a file that can be read: the next one syncs it first."""
    play(tmp_path, operator, Released(operator.key.verifier))
    synced: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with cosigner_in(tmp_path, HandClock()):
        assert next(tmp_path.glob("logs/*/checkpoint")).parent.name in synced


def writer(folder: Path, operator: Operator, *wrapper: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*wrapper, sys.executable, "-m", "support.witness_writer", str(folder), operator.key.encode()],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}", "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=120,
        check=False,
    )


def test_the_scripted_run_is_whole(tmp_path: Path, operator: Operator) -> None:
    """Without a kill everything is cosigned: the check itself works."""
    ran = writer(tmp_path / "w", operator)
    released = key_of(tmp_path / "w")
    assert released is not None, ran.stderr
    reported(ran.stdout, operator, released)
    assert [head.size for head in released.heads] == sorted(new for _, new in STEPS)
    restart_and_tempt(tmp_path / "w", operator, released)


@pytest.mark.needs("strace")
def test_kill_9_at_every_sync(tmp_path: Path, operator: Operator) -> None:
    """The kernel ends the process at its first, second, third ... sync."""
    for when in range(1, 100):
        folder = tmp_path / str(when)
        trace = ["strace", "-f", "-qq", "-e", "trace=fsync", "-e", f"inject=fsync:signal=KILL:when={when}"]
        ran = writer(folder, operator, *trace)
        with cosigner_in(folder, HandClock(), operator.key.verifier):
            pass
        released = key_of(folder)
        assert released is not None
        reported(ran.stdout, operator, released)
        restart_and_tempt(folder, operator, released)
        if ran.returncode == 0:
            break
    assert ran.returncode == 0, "the script has fewer syncs than that"
    assert when > 2 * len(STEPS), "each checkpoint is synced, and its name"
