"""`blindrelay demo --open`: the demonstration in the browser. Relay, witness and people are processes of their own."""

import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import click
from rich.markup import escape

from blindrelay.cli.console import announce, show_page, stop_signals
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import console
from blindrelay.cli.own_console import PORT
from blindrelay.cli.ports import LOOPBACK, free
from blindrelay.cli.temporary_relay import relay_process
from blindrelay.console.demonstration import Demonstration
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Role
from blindrelay.console.server import Place, serving
from blindrelay.proofs.shipped import KILL_MATRIX


def show(port: int | None, *, as_json: bool) -> int:
    """Run it until Ctrl-C or SIGTERM. Nothing is left behind."""
    interruptible(_show(free(PORT) if port is None else port, as_json=as_json))
    if not as_json:
        click.echo("\nEverything is stopped and removed.")
    return ExitCode.OK


async def _show(port: int, *, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="blindrelay-demo-") as folder, stop_signals() as stopped:
        async with AsyncExitStack() as stack:
            if not as_json:
                click.echo("Starting a relay, its witness and its lawful desk ...")
            running = await stack.enter_async_context(relay_process(Path(folder) / "home", desk=True))
            desktop = Desktop(
                running.data,
                roles=tuple(Role),
                matrix_file=KILL_MATRIX,
                stage=lambda desktop: Demonstration(Path(folder) / "authorities", desktop),
            )
            found = await stack.enter_async_context(serving(desktop, Place(LOOPBACK, port)))
            announce(found, {role: found.link(role) for role in (Role.DEMONSTRATOR,)}, as_json=as_json)
            if not as_json and not show_page(found.link(Role.DEMONSTRATOR)):
                console().print(escape("There is no browser here that could be opened: use the link above."))
            sys.stdout.flush()
            await stopped.wait()
