"""The configuration page and the configuration are one."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from blindrelay.relay.config import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "configuration.md").read_text()


def test_every_setting_is_documented_with_its_default() -> None:
    """The tables name each key of the configuration once, with the default that it has."""
    head, *sections = re.split(r"^## `\[(\w+)\]`$", PAGE, flags=re.MULTILINE)
    documented = {"": _table(head), **dict(zip(sections[::2], map(_table, sections[1::2]), strict=True))}
    settings = Settings().model_dump(exclude={"data_dir"})
    values = {name: value for name, value in settings.items() if isinstance(value, dict)}
    values[""] = {name: value for name, value in settings.items() if name not in values}
    documented[""].pop("data_dir")

    assert documented == {
        section: {key: str(value).lower() for key, value in keys.items()} for section, keys in values.items()
    }


def _table(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE))


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    """The TOML on the page is accepted as it stands."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)

    assert Settings.model_validate({"data_dir": tmp_path, **tomllib.loads(example)}).retention.traffic_days == 14


def test_the_command_line_page_is_what_help_prints() -> None:
    """`python -m blindrelay.cli.manual` makes the page; it has been run since the last change of a command.

    In a process of its own: a command keeps the help option of its first call, and another test may have called it
    outside `blindrelay`.
    """
    manual = subprocess.run(
        [sys.executable, "-m", "blindrelay.cli.manual"], capture_output=True, text=True, check=True, timeout=120
    )

    assert (REFERENCE / "command-line.md").read_text() == manual.stdout
