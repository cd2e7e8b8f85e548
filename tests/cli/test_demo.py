"""`blindrelay demo`: it shows what it says, and leaves nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from blindrelay.cli.exit_codes import ExitCode


def demo(tmp_path: Path) -> "subprocess.Popen[str]":
    """The demo as a process, with a folder for temporary files of its own."""
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path), "COLUMNS": "100"}
    return subprocess.Popen(
        [sys.executable, "-m", "blindrelay", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_one_message_is_shown_from_three_sides(tmp_path: Path) -> None:
    """Clients see the words, the relay holds bytes, the inventory names sender and recipient; sealed, no sender."""
    with demo(tmp_path) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (ExitCode.OK, "")
    flat = " ".join(out.split())
    assert out.count("Tell nobody before Friday") == 3  # the sender's words, and on each of bob's devices
    for title in ("what the clients see", "what the relay holds", "what its inventory says"):
        assert out.count(title) == 2
    assert out.count("TrafficRecord 1 of 2") == 2
    assert "(acme.example/alice" in flat
    assert any("sender's account" in line and "none" in line for line in out.splitlines())
    assert "none is there" in flat
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_interrupted_it_leaves_nothing_running(tmp_path: Path) -> None:
    """Ctrl-C in the middle: exit code 130, no relay, no files, no traceback."""
    with demo(tmp_path) as process:
        assert process.stdout is not None
        assert "a relay at" in process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.strip() == "blindrelay: stopped"
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert list((tmp_path / "tmp").iterdir()) == []
