"""Lock 1: the relay runs where nothing could decrypt."""

import json
import subprocess
from pathlib import Path

import pytest

from support import minimal

# Everything that could open an envelope, or that brings it along.
CLIENT_PACKAGES = ("vodozemac", "aiomqtt", "paho", "prompt_toolkit", "blindrelay.clients", "blindrelay.proofs")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with a relay's dependencies alone."""
    return minimal.create(tmp_path_factory.mktemp("minimal"))


def test_the_environment_holds_no_client(python: Path) -> None:
    """None of the packages that could open an envelope can be imported there; the relay can."""
    program = (
        "import importlib.util, json, sys, blindrelay.relay.server\n"
        f"names = {CLIENT_PACKAGES!r}\n"
        "print(json.dumps([n for n in names if n.split('.')[0] in sys.modules and n in sys.modules\n"
        "                  or importlib.util.find_spec(n) is not None]))"
    )
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []
