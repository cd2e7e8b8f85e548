"""`blindrelay console`: the web page, for a relay that runs."""

import asyncio
import contextlib
import os
import signal
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape as escape_html
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import click
from rich.markup import escape

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.operator_line import TOKEN_VARIABLE
from blindrelay.cli.output import JSON_OPTION, console, emit
from blindrelay.cli.own_console import PORT
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Role
from blindrelay.console.server import Place, Serving, serving
from blindrelay.proofs.shipped import KILL_MATRIX

# How often it is looked whether the process that started this one is still there. Seconds.
_PARENT_SECONDS: Final = 1.0
_ROLES: Final = (Role.OPERATOR, Role.AUDITOR)


@click.command(
    "console",
    epilog="""\b
Examples:
  blindrelay console                       for the relay of `blindrelay up`; prints a link for each role
  blindrelay console --open                and opens the first one in the browser
  blindrelay console --role auditor        a link for an auditor alone
  blindrelay demo --open                   a relay, people and this page, all of it for show

\b
A link works once, for twelve hours at most. Whoever has signed in as operator can make links for others, in the page's menu.
What each role may see and do: docs/reference/console.md.

\b
From another machine: ssh -L 8887:127.0.0.1:8887 HOST. With --host it listens elsewhere than on the loopback, and then needs
--certificate and --key.
""",
)
@home_option
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BLINDRELAY_DATA_DIR",
    help="The data directory of the relay; it is only read.  [default: relay/ in the home]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--name", "names", multiple=True, help="Another host name by which browsers reach it. Repeatable.")
@click.option("--certificate", type=click.Path(dir_okay=False, path_type=Path), help="With --key: HTTPS (PEM).")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), help="The certificate's private key (PEM).")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in _ROLES]),
    multiple=True,
    help="For whom to print a link. Repeatable.  [default: all of them]",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=TOKEN_VARIABLE,
    show_envvar=True,
    help="The token of a person at the lawful desk: what operators do there is done in that person's name.",
)
@click.option(
    "--proof",
    "proof_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What `blindrelay prove --json` has written, to be shown.",
)
@click.option(
    "--matrix",
    "matrix_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What `blindrelay sabotage matrix --out` has written, to be shown.  [default: that of this release]",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the first link in the browser.")
@click.option("--die-with-parent", is_flag=True, help="Stop when the process that started it is gone.")
@JSON_OPTION
def command(
    home: Path,
    data_dir: Path | None,
    host: str,
    port: int,
    names: tuple[str, ...],
    certificate: Path | None,
    key: Path | None,
    roles: tuple[str, ...],
    token_file: Path | None,
    proof_file: Path | None,
    matrix_file: Path | None,
    open_browser: bool,
    die_with_parent: bool,
    as_json: bool,
) -> int:
    """Serve the console, in the foreground, until Ctrl-C or SIGTERM.

    It shows in a browser what a relay keeps and what it does not: one message from three sides, demands and their answers, the
    public logs, how the service is doing. It is a process of its own, and only reads; the relay may come and go.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    chosen = tuple(Role(role) for role in roles) or _ROLES
    desktop = Desktop(
        data_dir or relay_directory(home),
        roles=_ROLES,
        token_file=token_file,
        proof_file=proof_file,
        matrix_file=matrix_file or KILL_MATRIX,
    )
    parent = os.getppid() if die_with_parent else None
    place = Place(host, port, names, certificate, key)
    interruptible(_serve(desktop, place, chosen, parent, open_browser=open_browser, as_json=as_json))
    if not as_json and parent is None:
        click.echo("the console is stopped")
    return ExitCode.OK


async def _serve(
    desktop: Desktop, place: Place, roles: tuple[Role, ...], parent: int | None, *, open_browser: bool, as_json: bool
) -> None:
    with stop_signals() as stopped:
        async with serving(desktop, place) as found:
            links = {role: found.link(role) for role in roles}
            announce(found, links, as_json=as_json, is_alone=parent is None)
            if open_browser:
                show_page(next(iter(links.values())))
            while not stopped.is_set() and (parent is None or os.getppid() == parent):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), None if parent is None else _PARENT_SECONDS)


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def announce(found: Serving, links: dict[Role, str], *, as_json: bool, is_alone: bool = True) -> None:
    """Say where it is, and how to get in; and how to stop it, unless somebody else does."""
    if as_json:
        emit({"url": found.url, "links": links})
        return
    output = console()
    output.print(f"The console is at [bold]{escape(found.url)}[/bold]. Sign in once with each of these:\n")
    for role, link in links.items():
        output.print(f"  {role.value:<13} [bold]{escape(link)}[/bold]", soft_wrap=True)
    if is_alone:
        output.print("\nCtrl-C stops it.")
    sys.stdout.flush()


def show_page(link: str) -> bool:
    """Open a link in the browser. It goes by a file for this user alone: everybody may read the arguments of a program."""
    page = f'<!doctype html><meta http-equiv="refresh" content="0; url={escape_html(link)}">'
    with NamedTemporaryFile("w", prefix="blindrelay-", suffix=".html", delete=False) as file:
        file.write(page)
    return webbrowser.open(Path(file.name).as_uri())
