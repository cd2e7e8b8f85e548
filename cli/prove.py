"""`blindrelay prove`: the evidence that content does not come out, for somebody who does not trust us."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import JSON_OPTION, console, emit, printable, write_whole
from blindrelay.cli.prove_views import show
from blindrelay.proofs import reports
from blindrelay.proofs.against import Subject, examine
from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.deployed import catalogue as deployed
from blindrelay.proofs.checks.deployed.canary import SHORTEST
from blindrelay.proofs.evidence.scope import Scope
from blindrelay.proofs.prove import Proof, Say
from blindrelay.proofs.prove import prove as carry_out


@click.command(
    epilog="""\b
Examples:
  blindrelay prove --quick                     every day, in less than a minute
  blindrelay prove                             all of it, in less than ten
  blindrelay prove --check canary --check wire
  blindrelay prove --html proof.html           a page to hand on; --matrix adds what became of deliberate leaks
  blindrelay prove --keep evidence/            look at it yourself

\b
A relay that is yours, or that somebody lets you look at; it may run meanwhile, and nothing of it is changed:
  blindrelay prove --against /var/lib/blindrelay --log relay.log --backup backups/
  blindrelay prove --against /var/lib/blindrelay --known sent.txt
  systemd-ask-password "a text that was sent: " | blindrelay prove --against /var/lib/blindrelay --known -
"""
)
@click.option("--quick", is_flag=True, help="Fewer requests and pairs of worlds: less than a minute.")
@click.option(
    "--check", "checks", multiple=True, type=click.Choice(catalogue.NAMES), help="This check alone. May be repeated."
)
@click.option(
    "--check-file",
    "check_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A check of your own as well: docs/how-to/write-a-check.md. May be repeated.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the evidence in this folder, which must be empty or new.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page that stands alone to this file."
)
@click.option(
    "--matrix",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="What `blindrelay sabotage matrix --out` wrote, to be shown on the page.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="DATA_DIR",
    help="Start nothing: examine this data directory of a relay.",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="With --against: a file of its log, or a folder of such. May be repeated.",
)
@click.option(
    "--backup",
    "backups",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="With --against: a backup, or a folder of such. May be repeated.",
)
@click.option(
    "--known",
    type=click.File(encoding="utf-8"),
    help="With --against: a file with texts that went through it, one a line, to be looked for; - for standard input.",
)
@click.option(
    "--config",
    "configuration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --against: its configuration, if that is not in the data directory.",
)
@JSON_OPTION
def prove(
    *,
    quick: bool,
    checks: tuple[str, ...],
    check_files: tuple[str, ...],
    keep: Path | None,
    html: Path | None,
    matrix: Path | None,
    against: Path | None,
    logs: tuple[Path, ...],
    backups: tuple[Path, ...],
    known: TextIO | None,
    configuration: Path | None,
    as_json: bool,
) -> int:
    """Prove that content does not come out.

    Starts a relay in a process of its own, with real TLS, lets enterprises in every jurisdiction write to one another in both
    postures, lets authorities ask for everything under every shipped policy pack, and keeps everything that the relay holds or
    emits: its memory, its disk, its log, its backups, every byte on the wire, every package. What people write and every key of
    theirs is made so that it can be recognised. Then every check looks for what must not be there, and says what it looked at.

    With --against it starts nothing, and examines what a relay has on disk: a private copy of its data directory, its logs, its
    backups. That shows less, and says what it does not show: most of all, a disk does not tell what was in letters. Send a text
    through the relay, and name it with --known (never as an argument, which a shell keeps): it is looked for in every form.

    The exit code is 0 if every check was carried out and found nothing, else 1. What the checks cannot see is in SECURITY.md.
    """
    leaks = _leaks(html, matrix)
    if against is None:
        if logs or backups or known or configuration:
            raise click.UsageError(
                "--log, --backup, --known and --config are for --against: name a data directory with that"
            )
        proof = _proved(quick=quick, checks=checks, check_files=check_files, keep=keep)
    else:
        if quick or keep or check_files:
            raise click.UsageError(
                "--quick, --keep and --check-file are for a run, and --against is for a relay that there is"
            )
        proof = _examined(Subject(against, logs, backups, _texts(known), configuration), checks)
    if as_json:
        emit(reports.as_json(proof))
    else:
        show(console(), proof)
    if html is not None:
        write_whole(html, reports.html(proof, leaks))
    return ExitCode.OK if proof.passed else ExitCode.FAILED


def _proved(*, quick: bool, checks: tuple[str, ...], check_files: tuple[str, ...], keep: Path | None) -> Proof:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise click.UsageError(f"{keep} is not empty: name a folder for the evidence alone")
    names = [*(checks or catalogue.NAMES), *(catalogue.find(file).name for file in check_files)]
    with progress() as say:
        return interruptible(carry_out(Scope(quick=quick), checks=names, say=say, keep=keep))


def _examined(subject: Subject, checks: tuple[str, ...]) -> Proof:
    for name in checks:
        if name not in deployed.NAMES:
            raise click.UsageError(f"--check {name}: {deployed.why_not(name)}; leave --against away")
    with progress() as say:
        return examine(subject, checks=checks, say=say, run=interruptible)


def _leaks(html: Path | None, matrix: Path | None) -> tuple[reports.Leak, ...] | None:
    """What became of deliberate leaks, if that is to be shown. What is wrong is said now, not after ten minutes."""
    if html is not None and not html.absolute().parent.is_dir():
        raise click.UsageError(f"{html.parent} is no folder: name a file in one that there is")
    if matrix is not None and html is None:
        raise click.UsageError("--matrix is for the page: name that, too, with --html")
    return None if matrix is None else reports.read_matrix(matrix)


def _texts(known: TextIO | None) -> tuple[str, ...]:
    """A text a line. What is said of a wrong one is where it stands, and not what it says."""
    if known is None:
        return ()
    try:
        lines = known.read().splitlines()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"--known: expected texts in UTF-8, one a line: {error.reason}") from None
    for number, line in enumerate(lines, 1):
        if line and len(line.encode()) < SHORTEST:
            raise click.UsageError(
                f"--known: the text of line {number} is shorter than {SHORTEST} bytes, and would be found by chance: "
                "send one that is longer"
            )
    if not any(lines):
        raise click.UsageError("--known: there is no text in it: expected one a line")
    return tuple(lines)


@contextmanager
def progress() -> Iterator[Say]:
    """What is being done and for how long, on a terminal's last line; on anything else a line each, on stderr."""
    terminal = Console(stderr=True)
    if not terminal.is_terminal:
        yield lambda what: click.echo(f"  {printable(what)}", err=True)
        return
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what: bar.update(task, description=printable(what))
