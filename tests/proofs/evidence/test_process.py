"""Children of a process, as the system tells of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blindrelay.proofs.evidence.process import offspring

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
PROGRAM = """
import os, subprocess, sys
from blindrelay.proofs.evidence.process import offspring

print(offspring(os.getpid()))
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(offspring(os.getpid()))
child.communicate(b"")
print(offspring(os.getpid()))
"""


def test_a_child_is_seen_while_it_is_there_and_afterwards() -> None:
    """Whoever starts it: nothing of Python's is asked. Some kernels do not tell of those that are there."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    before, during, after = done.stdout.splitlines()

    assert before == "[]"
    if Path(f"/proc/self/task/{os.getpid()}/children").exists():
        assert during.startswith("['it has a child: ")
    assert "it has had children" in after


def test_a_process_that_is_gone() -> None:
    """Is no process without children."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    with pytest.raises(OSError, match=str(child.pid)):
        offspring(child.pid)
