"""`blindrelay witness`: remember how far public logs have come, and cosign what continues that."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from rich.markup import escape

from blindrelay import __version__
from blindrelay.cli import witness_folder
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit, printable
from blindrelay.cli.witness_folder import FOLDER, LogKeys
from blindrelay.protocol.transparency import policy
from blindrelay.protocol.transparency.keys import VerifierKey
from blindrelay.witness.folder import DEFAULT_NAME
from blindrelay.witness.service import Witness

_BANNER = """\
[bold]A witness of Blindrelay {version}[/bold] is up: {name}

  address  [bold]{url}[/bold]   (https://c2sp.org/tlog-witness)
  key      {key}
  folder   {folder}
  logs     {logs}

The line by which logs, clients and auditors know it:

  {line}

Ctrl-C or SIGTERM stops it.
"""
_NO_LOGS = "none yet: blindrelay witness add-log {folder} LOG   (while it runs)"
# What anybody can cause who knows the address, and what happens every day: with --verbose alone.
_UNREMARKABLE = frozenset({"Malformed", "UnknownLog", "Conflict"})
_PARENT_SECONDS = 0.2


@click.group(
    cls=OrderedGroup,
    epilog="""\b
On a machine that is not the relay's, by somebody who is not its operator:
  blindrelay witness run ~/witness --name witness.example.org --log directory.policy
  blindrelay witness status ~/witness

\b
A folder has
  witness.key                  the private keys (0600): never copied, never restored from an older copy
  logs/<origin hash>/          of each log: its keys, and the last checkpoint that was cosigned

More: docs/how-to/run-a-witness.md
""",
)
def witness() -> None:
    """Watch public logs for others: cosign what continues what was seen before, and nothing else.

    A log that shows some people one history and others another needs two checkpoints that do not continue each other. A witness
    cosigns one of them and never the other. It says nothing of what is in the log: that is for whoever reads it.
    """


@click.command(
    epilog="""\b
Examples:
  blindrelay witness run w                                  logs are added later
  blindrelay witness run w --log directory.policy           what a relay publishes
  blindrelay witness run w --log example.org/log+1a2b3c4d+AQ...
  blindrelay witness run w --host 0.0.0.0 --certificate w.crt --key w.key

\b
It answers (https://c2sp.org/tlog-witness):
  POST /add-checkpoint             a log submits a checkpoint, and gets a cosignature
  GET  /<origin hash>/checkpoint   the last one that was cosigned (SHA-256 of the origin, in hexadecimal)
  GET  /key                        the witness's verifier keys
  GET  /                           which logs it knows

\b
With --json, one object when it listens, and one for each cosignature or refusal.
"""
)
@FOLDER
@click.option(
    "--log",
    "logs",
    type=LogKeys(),
    multiple=True,
    help="A log to know from now on: its verifier key, or a file of such keys, or the log's policy file. Repeatable.",
)
@click.option(
    "--name", help=f"The witness's name, when it is made; best a URL without scheme.  [default: {DEFAULT_NAME}]"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=7_380,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--public-url", metavar="URL", help="Where others reach it, if that is elsewhere: behind a proxy, by a name."
)
@click.option("--certificate", type=click.Path(dir_okay=False, path_type=Path), help="With --key: HTTPS (PEM).")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), help="The certificate's private key (PEM).")
@click.option(
    "--verbose", is_flag=True, help="Tell of submissions that are malformed, of unknown logs, or out of date, too."
)
@click.option("--die-with-parent", is_flag=True, help="Stop when the process that started it is gone.")
@JSON_OPTION
def run(
    folder: Path,
    logs: tuple[tuple[VerifierKey, ...], ...],
    name: str | None,
    host: str,
    port: int,
    public_url: str | None,
    certificate: Path | None,
    key: Path | None,
    verbose: bool,
    die_with_parent: bool,
    as_json: bool,
) -> int:
    """Run a witness in FOLDER, in the foreground, until Ctrl-C or SIGTERM.

    The folder and a key are made on the first start. A checkpoint is on stable storage before its cosignature leaves: whenever
    the witness is killed, it never signs two histories.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    parent = os.getppid() if die_with_parent else None
    tls = (certificate, key) if certificate and key else None

    def report(what: str, of: Mapping[str, object]) -> None:
        if verbose or what not in _UNREMARKABLE:
            _tell(what, of, as_json=as_json)

    found = Witness(
        folder, [each for given in logs for each in given], name=name, host=host, port=port, tls=tls, report=report
    )
    interruptible(_serve(found, lambda: _announce(found, folder, public_url, as_json=as_json), parent))
    if not as_json:
        click.echo("stopped; everything that was cosigned is on disk")
    return ExitCode.OK


async def _serve(found: Witness, ready: Callable[[], None], parent: int | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with found:
        ready()
        if parent is not None:
            while os.getppid() == parent and not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), _PARENT_SECONDS)
        else:
            await stopped.wait()


def _announce(found: Witness, folder: Path, public_url: str | None, *, as_json: bool) -> None:
    line = str(policy.Witness(found.key.name, found.key, public_url or found.url))
    origins = [log.origin for log in found.folder.logs()]
    if as_json:
        emit(
            {
                "url": found.url,
                "name": found.key.name,
                "key": str(found.key),
                "keys": [str(own.verifier) for own in found.folder.keys],
                "folder": folder.absolute(),
                "logs": origins,
                "policy_line": line,
            }
        )
        return
    banner = _BANNER.format(
        version=__version__,
        name=escape(found.key.name),
        url=escape(found.url),
        key=escape(str(found.key)),
        folder=escape(str(folder.absolute())),
        logs=escape(printable(", ".join(origins) or _NO_LOGS.format(folder=folder))),
        line=escape(line),
    )
    console().print(banner, soft_wrap=True)
    sys.stdout.flush()


def _tell(what: str, of: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        emit({"event": what, **of})
    elif what == "cosigned":
        click.echo(printable(f"cosigned  {of['origin']}  {of['size']} entries"))
    else:
        click.echo(printable(f"refused   {what}: {of['reason']}"))


for _command in (run, witness_folder.key, witness_folder.status, witness_folder.add_log):
    witness.add_command(_command)
