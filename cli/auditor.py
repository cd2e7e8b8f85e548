"""`blindrelay auditor`: what a relay claims, re-verified by somebody who does not trust it."""

from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.log_options import CA_OPTION, FOLDER, RELAY_OPTION, logs_address
from blindrelay.cli.moments import MomentType
from blindrelay.cli.output import JSON_OPTION, emit, printable
from blindrelay.cli.places import home_option
from blindrelay.cli.relays import witnesses_option
from blindrelay.clients.auditor.address import LogsAddress, read_policy
from blindrelay.clients.auditor.audit import Audit, Disclosed, Finding, Question, all_hold
from blindrelay.clients.auditor.log import Wants
from blindrelay.protocol.clock import SystemClock

_RECEIPT = ".receipt.json"
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=OrderedGroup)
def auditor() -> None:
    """Re-verify what a relay claims, from nothing but what it shows to everybody."""


@auditor.command(
    epilog="""\b
Examples:
  blindrelay auditor check --from 2026-01-01 --to 2026-07-01
  blindrelay auditor check --from 2026-01-01 --to 2026-07-01 --package d1.package --older checkpoint.2025
  blindrelay auditor check --from -30d --to now --relay https://relay.example:8885 --ca relay.crt

\b
What is checked:
  directory      every entry of the directory's log, against a checkpoint that its witnesses have cosigned lately
  lawful-access  every entry of the log of requests, likewise
  older          both logs continue the checkpoints that somebody has kept (--older), and those seen at the last audit
  accounts       every disclosure that is told of has its request, and a decision that allows it, before it
  report         the counts in the transparency report are those of the log
  package        a disclosed package (--package) is the one that the log has, after its request and its decision

\b
Exit code 15 when anything does not hold. What the law forbids to tell is in the log as commitments that nobody can count: the
receipt of a package opens those of its own case.
""",
)
@click.option("--from", "since", type=MomentType(), required=True, help="The first day (UTC).")
@click.option("--to", "until", type=MomentType(), required=True, help="The day after the last.")
@RELAY_OPTION
@CA_OPTION
@click.option(
    "--policy",
    "policies",
    type=_file,
    multiple=True,
    help="By what to verify a log (https://c2sp.org/tlog-policy), once for each.  [default: as `blindrelay log` has it]",
)
@witnesses_option
@click.option("--package", "packages", type=_file, multiple=True, help="A sealed package, with its receipt beside it.")
@click.option("--older", "older", type=_file, multiple=True, help="A checkpoint that was kept, of either log.")
@click.option("--report", type=_file, help="A transparency report (JSON).  [default: what the relay shows]")
@JSON_OPTION
@home_option
def check(
    since: datetime,
    until: datetime,
    relay: str | None,
    ca: Path | None,
    policies: tuple[Path, ...],
    witnesses: int | None,
    packages: tuple[Path, ...],
    older: tuple[Path, ...],
    report: Path | None,
    as_json: bool,
    home: Path,
) -> int:
    """Check a period: the logs whole, the report by the log, disclosures by their entries."""
    question = Question(
        since.astimezone(UTC).date(),
        until.astimezone(UTC).date(),
        None if report is None else report.read_bytes(),
        tuple(path.read_bytes() for path in older),
        tuple(Disclosed(path, _receipt_of(path)) for path in packages),
    )
    if question.since >= question.until:
        raise click.UsageError("--from is to be an earlier day than --to")
    address = _address(relay, ca, policies, home)
    audit = Audit(address, home / FOLDER, question, SystemClock(), Wants(witnesses))
    findings = interruptible(_run(audit, as_json=as_json))
    holds = all_hold(findings)
    if as_json:
        emit({"holds": holds, "findings": [_record(finding) for finding in findings]})
    else:
        click.echo("everything holds" if holds else "NOT everything holds")
    return ExitCode.OK if holds else ExitCode.LOG_REJECTED


def _receipt_of(package: Path) -> Path:
    path = package.with_suffix(_RECEIPT)
    if not path.exists():
        raise click.UsageError(
            f"{package} has no receipt beside it ({path.name}): ask the authority for it; a disclosure without one is in no log"
        )
    return path


def _address(relay: str | None, ca: Path | None, policies: tuple[Path, ...], home: Path) -> LogsAddress:
    found = logs_address(relay, ca, home)
    named = {trust.log.name.rpartition("/")[2]: str(trust) for trust in map(read_policy, policies)}
    return replace(found, policies={**found.policies, **named})


async def _run(audit: Audit, *, as_json: bool) -> list[Finding]:
    findings = []
    with _bar() as progress:
        audit.progress = progress
        async with aclosing(audit.run()) as found:
            async for finding in found:
                findings.append(finding)
                if not as_json:
                    _show(finding)
    return findings


def _show(finding: Finding) -> None:
    mark = "holds " if finding.holds else "WRONG "
    click.echo(printable(f"{mark} {finding.check:<14} {finding.seen}"))
    for sentence in finding.wrong:
        click.echo(printable(f"                      {sentence}"))


def _record(finding: Finding) -> dict[str, object]:
    return {"check": finding.check, "holds": finding.holds, "seen": finding.seen, "wrong": list(finding.wrong)}


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what, done, of: progress.update(task, description=what, completed=done, total=of)
