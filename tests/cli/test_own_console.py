"""The console that `up` starts beside its relay."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from blindrelay.cli.exit_codes import ExitCode


def test_relay_with_a_console_beside_it(tmp_path: Path) -> None:
    """Both say where they are; when the relay is told to stop, both are gone."""
    arguments = ["up", "--console", "--no-witness", "--data-dir", str(tmp_path), "--port", "0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "blindrelay", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"]
        said = json.loads(process.stdout.readline())
        assert httpx.get(f"{said['url']}/sign-in").status_code == 200
        (child,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == ExitCode.OK
    assert not child.is_running()


def test_console_needs_nothing_of_a_clients() -> None:
    """Whoever runs a relay alone has the console, too; a demonstration is another thing."""
    absent = ("blindrelay.clients", "vodozemac", "aiomqtt", "httpx")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); import blindrelay.cli.console"
    subprocess.run([sys.executable, "-c", program], check=True)
