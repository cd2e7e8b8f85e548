"""One proof for the whole suite, whoever needs it first: its evidence serves many tests, and takes a while to make."""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.commands import Ran


@dataclass(frozen=True, slots=True)
class OneProof:
    """What a proof came to.

    Attributes:
        folder: `evidence` is in it, and `proof.html`; `tmp` was for what is temporary.
    """

    ran: Ran
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """What was printed."""
        (line,) = self.ran.out.splitlines()
        return dict(json.loads(line))

    def disk(self, moment: str) -> Path:
        """The relay's data directory as it was at a moment."""
        return self.folder / "evidence" / "disk" / moment

    @property
    def manifest(self) -> dict[str, Any]:
        """What the run was."""
        return dict(json.loads((self.folder / "evidence" / "manifest.json").read_bytes()))


def start(folder: Path, *arguments: object, quick: bool = True, in_background: bool = False) -> "subprocess.Popen[str]":
    """A proof as a process of its own, a quick one with one check; whatever it leaves behind is in `folder`.

    `in_background`: as a shell's job that does not hear Ctrl-C.
    """
    folder.mkdir(parents=True)
    scope = ["--quick", "--check", "forms"] if quick else []
    shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if in_background else []
    return subprocess.Popen(
        [*shell, sys.executable, "-m", "blindrelay", "prove", *scope, *map(str, arguments)],
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


def one_proof(factory: pytest.TempPathFactory) -> OneProof:
    """The same for every process that runs tests: the first one makes it, the others wait."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done = root / "one-proof", root / "one-proof" / "ran.json"
    with (root / "one-proof.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            options = ("--json", "--html", folder / "proof.html", "--keep", folder / "evidence")
            with start(folder / "tmp", *options) as process:
                out, err = process.communicate()
            done.write_text(json.dumps([process.returncode, out, err]))
    return OneProof(Ran(*json.loads(done.read_text())), folder)
