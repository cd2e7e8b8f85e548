"""The shell blocks of tutorial and how-tos, run as a reader would: in their order, in one shell, with a relay beside it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md")) + sorted((ROOT / "docs" / "how-to").glob("*.md"))
#: pytest finds the plugin for scenarios by its entry point, unless the installation is older than that.
PLUGIN = "blindrelay.proofs.scenarios.pytest_plugin"
NAMED = "" if any(one.value == PLUGIN for one in entry_points(group="pytest11")) else f"-p {PLUGIN}"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A shell's environment with a home of its own, in which a relay is up."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("BLINDRELAY_")}
    variables |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BLINDRELAY_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
        "PYTEST_ADDOPTS": NAMED,
    }
    command = [sys.executable, "-m", "blindrelay", "up", "--port", "0", "--json"]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as relay:
        assert relay.stdout is not None
        try:
            assert json.loads(relay.stdout.readline())["port"]
            yield variables
        finally:
            relay.terminate()
            relay.communicate()
    assert relay.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Every command of the page succeeds, one after the other."""
    (tmp_path / "ca.pass").write_text("correct horse battery staple\n")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    script = "set -euo pipefail\n" + "".join(BLOCK.findall(page.read_text()))
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_runs() -> None:
    """The README's two commands are words of the Makefile, and its script is the first example."""
    readme, example = (ROOT / "README.md").read_text(), (ROOT / "examples" / "two_people.py").read_text()
    script = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    words = re.findall(r"^make ([a-z]+)", readme, re.MULTILINE)

    assert words == ["demo", "test"]
    assert all(f"\n{word}:" in (ROOT / "Makefile").read_text() for word in words)
    lines = [line.split("#")[0].strip() for line in script[0].splitlines()]
    assert [line for line in lines if line and line not in example] == []
