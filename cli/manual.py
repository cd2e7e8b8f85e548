"""The manual as one page: `python -m blindrelay.cli.manual > docs/reference/command-line.md`.

It is what `--help` prints, command after command; a test compares the page with it.
"""

import sys
from collections.abc import Iterator

import click

from blindrelay.cli.main import cli

_WIDTH = 100
_HEAD = """\
# The command line

What `blindrelay COMMAND --help` prints, on one page.
"""


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Each command below `command` with its help, depth first: (`blindrelay tenant enrol`, text)."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from commands(below, _context(below, name, context))


def page() -> str:
    """The whole page, in Markdown."""
    parts = [f"\n## {path}\n\n```\n{_tidy(text)}\n```\n" for path, text in commands(cli, _context(cli, "blindrelay"))]
    return _HEAD + "".join(parts)


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    settings = {"max_content_width": _WIDTH, "terminal_width": _WIDTH, "show_default": None}
    return click.Context(command, info_name=name, parent=parent, **{**settings, **command.context_settings})


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())


if __name__ == "__main__":
    sys.stdout.write(page())
