"""`blindrelay console`."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.main import run


def test_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """With no relay yet, on a free port, and with a link for each role; SIGTERM ends it in order."""
    arguments = ["console", "--data-dir", str(tmp_path), "--port", "0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "blindrelay", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert set(said["links"]) == {"operator", "auditor"}
        assert httpx.get(f"{said['url']}/sign-in").status_code == 200
        process.send_signal(signal.SIGTERM)
        output, complaint = process.communicate(timeout=60)
    assert (process.returncode, output, complaint) == (ExitCode.OK, "", "")


def test_no_listening_to_the_world_in_the_clear(tmp_path: Path) -> None:
    """It is refused before anything listens."""
    assert run(["console", "--data-dir", str(tmp_path), "--host", "0.0.0.0"]) == ExitCode.USAGE


def test_certificate_goes_with_its_key(tmp_path: Path) -> None:
    """One without the other is a mistake."""
    assert run(["console", "--data-dir", str(tmp_path), "--certificate", "c.pem"]) == ExitCode.USAGE
