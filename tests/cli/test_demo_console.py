"""`blindrelay demo --open`: a demonstration that stays until it is told to go, and then leaves nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from blindrelay.cli.exit_codes import ExitCode


def test_shows_people_and_relay_until_it_is_stopped(tmp_path: Path) -> None:
    """Somebody signs in and hears people talk; Ctrl-C ends every process, and every file is gone."""
    environment = os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "blindrelay", "demo", "--open", "--json", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        try:
            said = json.loads(process.stdout.readline())
            assert list(said["links"]) == ["demonstrator"]
            with httpx.Client(base_url=said["url"], timeout=60) as http:
                token = said["links"]["demonstrator"].partition("#")[2]
                assert http.post("/sign-in", json={"token": token}, headers={"origin": said["url"]}).status_code == 200
                assert len(http.get("/api/evidence/matrix").json()["saboteurs"]) >= 40  # the one of this release
                with http.stream("GET", "/events/clients") as answer:
                    assert any("Tell nobody before Friday" in line for line in answer.iter_lines())
            children = psutil.Process(process.pid).children(recursive=True)
            assert len(children) >= 3  # relay, witness, people
            process.send_signal(signal.SIGINT)
            output, complaint = process.communicate(timeout=60)
        finally:
            process.kill()  # if it has not ended as it should
    assert (process.returncode, output, complaint) == (ExitCode.OK, "", "")
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert list(tmp_path.iterdir()) == []
