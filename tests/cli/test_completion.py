"""Shell completion."""

import shutil
import subprocess
from collections.abc import Callable

import pytest

from support.commands import Ran


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_for_our_command(blindrelay: Callable[..., Ran], shell: str) -> None:
    """Each script completes `blindrelay` by asking it."""
    script = blindrelay("completion", shell)
    assert script.code == 0
    assert f"_BLINDRELAY_COMPLETE={shell}_complete" in script.out


def test_bash_takes_the_script(blindrelay: Callable[..., Ran]) -> None:
    """The script for bash is one that bash can parse."""
    bash = shutil.which("bash")
    assert bash is not None
    subprocess.run([bash, "-n"], input=blindrelay("completion", "bash").out, text=True, check=True)
