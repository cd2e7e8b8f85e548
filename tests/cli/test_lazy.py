"""Commands are imported when they are asked for."""

import subprocess
import sys

import click
import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.lazy import Entry, LazyGroup
from blindrelay.cli.main import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_entry_leads_to_a_command(name: str) -> None:
    """The table of commands names modules and attributes that exist, under their own names."""
    group = LazyGroup("blindrelay", entries=COMMANDS)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.name == name


def test_command_that_needs_absent_packages_says_how_to_get_them() -> None:
    """A relay that is installed alone answers a client's command with what to install, and exit code 14."""
    program = (
        "import sys; sys.modules['vodozemac'] = None;"
        "from blindrelay.cli.main import run; sys.exit(run(['client', 'send', '--help']))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == ExitCode.NOT_INSTALLED
    assert "pip install 'blindrelay[clients]'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_mistake_of_our_own_is_not_taken_for_an_absent_package() -> None:
    """A module that is missing from a command of ours is a bug, and shows as one."""
    group = LazyGroup("x", entries={"broken": Entry("blindrelay.cli.no_such_module", "broken", "")})
    with pytest.raises(ModuleNotFoundError):
        group.get_command(click.Context(group), "broken")


def test_names_are_completed_from_the_table() -> None:
    """Completing a command's name imports no command."""
    group = LazyGroup(
        "x", entries={"open": Entry("no.such.module", "x", "Opens."), "close": Entry("none", "x", "Closes.")}
    )
    assert [(item.value, item.help) for item in group.shell_complete(click.Context(group), "o")] == [("open", "Opens.")]
    assert [item.value for item in group.shell_complete(click.Context(group), "--h")] == ["--help"]
