"""`blindrelay prove`: the evidence that content does not come out, for somebody who does not trust us."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.output import JSON_OPTION, console, emit, printable
from blindrelay.cli.prove_views import show
from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.prove import Proof, Say
from blindrelay.proofs.prove import prove as carry_out


@click.command(
    epilog="""\b
Examples:
  blindrelay prove --quick                     every day, in less than a minute
  blindrelay prove                             all of it, in less than ten
  blindrelay prove --check canary --check wire
  blindrelay prove --keep evidence/            look at it yourself
"""
)
@click.option("--quick", is_flag=True, help="Fewer requests and pairs of worlds: less than a minute.")
@click.option(
    "--check", "checks", multiple=True, type=click.Choice(catalogue.NAMES), help="This check alone. May be repeated."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the evidence in this folder, which must be empty or new.",
)
@JSON_OPTION
def prove(*, quick: bool, checks: tuple[str, ...], keep: Path | None, as_json: bool) -> int:
    """Prove that content does not come out.

    Starts a relay in a process of its own, with real TLS, lets enterprises in every jurisdiction write to one another in both
    postures, lets authorities ask for everything under every shipped policy pack, and keeps everything that the relay holds or
    emits: its memory, its disk, its log, its backups, every byte on the wire, every package. What people write and every key of
    theirs is made so that it can be recognised. Then every check looks for what must not be there, and says what it looked at.

    The exit code is 0 if every check was carried out and found nothing, else 1. What the checks cannot see is in SECURITY.md.
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise click.UsageError(f"{keep} is not empty: name a folder for the evidence alone")
    with progress() as say:
        proof = asyncio.run(carry_out(quick=quick, checks=checks, say=say, keep=keep))
    if as_json:
        emit(record(proof))
    else:
        show(console(), proof)
    return ExitCode.OK if proof.passed else ExitCode.FAILED


@contextmanager
def progress() -> Iterator[Say]:
    """What is being done, on a terminal's last line; on anything else a line each, on stderr."""
    terminal = Console(stderr=True)
    if not terminal.is_terminal:
        yield lambda what: click.echo(f"  {printable(what)}", err=True)
        return
    with terminal.status("") as status:
        yield lambda what: status.update(printable(what))
    sys.stderr.flush()


def record(proof: Proof) -> dict[str, Any]:
    """A proof as JSON has it."""
    return {
        "passed": proof.passed,
        "quick": proof.quick,
        "at": proof.at.isoformat(),
        "seconds": round(proof.seconds, 1),
        "run": proof.facts,
        "troubles": [trouble.model_dump() for trouble in proof.troubles],
        "locks": [
            {
                "lock": lock.value,
                "claim": lock.claim,
                "passed": all(verdict.passed for verdict in proof.of(lock)),
                "checks": [asdict(verdict) | {"passed": verdict.passed} for verdict in proof.of(lock)],
            }
            for lock in Lock
            if proof.of(lock)
        ],
    }
