"""A command group that imports a command when it is asked for it, and not before.

So `--help` is quick, and a relay that is installed without a client's packages still runs `blindrelay up`: only the commands
that need what is missing say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from blindrelay.cli.exit_codes import ExitCode

# What the extra `clients` brings, by the names under which they are imported.
CLIENT_PACKAGES = frozenset({"aiomqtt", "httpx", "paho", "prompt_toolkit", "vodozemac", "blindrelay.clients"})


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, and what a listing says of it.

    Attributes:
        module: the module that defines it.
        attribute: its name in there.
        summary: one line for the list of commands.
        section: the heading that it is listed under.
    """

    module: str
    attribute: str
    summary: str
    section: str = "Commands"


class ClientsMissing(click.ClickException):
    """A command needs the client's packages, and this installation is a relay alone."""

    exit_code = ExitCode.NOT_INSTALLED

    def __init__(self, command: str, package: str) -> None:
        super().__init__(
            f"`{command}` needs the client's packages ({package} is missing): install them with "
            "`pip install 'blindrelay[clients]'`"
        )


class LazyGroup(click.Group):
    """A group whose commands stand in a table of `Entry`."""

    def __init__(self, *args: object, entries: Mapping[str, Entry] | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.entries = dict(entries or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        try:
            module = import_module(entry.module)
        except ModuleNotFoundError as error:
            name = error.name or ""
            if (
                name in CLIENT_PACKAGES
                or name.startswith("blindrelay.clients.")
                or name.partition(".")[0] in CLIENT_PACKAGES
            ):
                raise ClientsMissing(f"{ctx.command_path} {cmd_name}", name) from error
            raise
        command: click.Command = getattr(module, entry.attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands from the table, for the same reason; options as ever."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=entry.summary)
            for name, entry in self.entries.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands under their headings, from the table alone: nothing is imported for it."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.entries.items():
            sections.setdefault(entry.section, []).append((name, entry.summary))
        width = max((len(name) for name in self.entries), default=0)
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in rows])


class OrderedGroup(click.Group):
    """A group that lists its commands in the order in which one meets them, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of their definition."""
        return list(self.commands)
