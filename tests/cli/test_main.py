"""The command as a whole: its manual, its exit codes, its manners."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay import __version__
from blindrelay.cli import main as main_module
from blindrelay.cli.exit_codes import MEANINGS, ExitCode
from blindrelay.protocol.errors import Malformed
from support.commands import Ran


def test_version_is_that_of_the_package(blindrelay: Callable[..., Ran]) -> None:
    """`--version` names the program and its version."""
    assert blindrelay("--version").out == f"blindrelay {__version__}\n"


def test_manual_lists_every_command_and_every_exit_code(blindrelay: Callable[..., Ran]) -> None:
    """Nothing that the program can do or answer is missing from its manual."""
    manual = blindrelay("--help").out
    assert all(f"  {name} " in manual for name in main_module.COMMANDS)
    assert all(f"  {code.value:<4} {MEANINGS[code]}" in manual for code in ExitCode)


def test_manual_is_printed_without_a_clients_packages() -> None:
    """Listing the commands imports none of them."""
    program = (
        "import sys; from blindrelay.cli.main import run; run(['--help']);"
        "sys.exit(any(name in sys.modules for name in ('blindrelay.clients', 'blindrelay.relay', 'vodozemac', 'aiomqtt')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["frobnicate"], "frobnicate"),
        (["--nonsense"], "--nonsense"),
        (["completion", "tcsh"], "tcsh"),
        (["completion"], "fish"),
    ],
)
def test_misunderstood_command_line_is_a_usage_error(
    blindrelay: Callable[..., Ran], arguments: list[str], named: str
) -> None:
    """What is not understood is named on stderr, and the exit code is 2."""
    ran = blindrelay(*arguments)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert named in ran.err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (Malformed("expected a duck"), ExitCode.MALFORMED, "blindrelay: expected a duck\n"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "blindrelay: stopped\n"),
        (FileNotFoundError(2, "No such file or directory", "/nowhere"), ExitCode.FAILED, "/nowhere"),
    ],
)
def test_error_of_a_command_is_one_sentence(
    blindrelay: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: ExitCode,
    sentence: str,
) -> None:
    """An error that a user can meet never shows a traceback."""

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(main_module.cli, "main", fail)
    ran = blindrelay("up")
    assert ran.code == code
    assert sentence in ran.err
    assert ran.err.count("\n") == 1


def test_terminal_control_characters_in_an_error_are_not_obeyed(
    blindrelay: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that quotes a stranger cannot move the cursor."""

    def fail(**_: object) -> None:
        raise Malformed("\x1b[2Jboo")

    monkeypatch.setattr(main_module.cli, "main", fail)
    assert "\x1b" not in blindrelay("up").err


def test_reader_that_has_seen_enough_is_no_error(home: Path) -> None:
    """`blindrelay --help | head -1` ends quietly."""
    command = f"set -o pipefail; {sys.executable} -m blindrelay inventory --help | head -1"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
