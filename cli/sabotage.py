"""`blindrelay sabotage`: deliberate leaks, each of which a check must find."""

import asyncio
import json
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit, printable
from blindrelay.cli.prove import progress
from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.prove import prove
from blindrelay.proofs.saboteurs import catalogue, matrix
from blindrelay.proofs.saboteurs.matrix import Row

_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...")


@click.group(cls=OrderedGroup)
def sabotage() -> None:
    """See that every check can fail.

    A saboteur makes the relay, a client, a policy or the build leak in one way, in the processes of one run. A leak that no
    check finds is a bug in the checks.
    """


@sabotage.command("list")
@JSON_OPTION
def list_(*, as_json: bool) -> None:
    """List the saboteurs: what each does, and which check has to find it."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("saboteur", "lock", "found by", "what it does"):
        table.add_column(heading)
    for saboteur in catalogue.every():
        found_by = ", ".join(f"{check} ({reason})" for check, reason in sorted(saboteur.caught_by))
        if as_json:
            emit(
                {
                    "saboteur": saboteur.name,
                    "lock": saboteur.lock.value,
                    "title": saboteur.title,
                    "modelled_on": saboteur.modelled_on,
                    "caught_by": sorted(saboteur.caught_by),
                }
            )
        table.add_row(saboteur.name, saboteur.lock.value, found_by, escape(saboteur.title))
    if not as_json:
        console().print(table)


@sabotage.command()
@click.argument("name")
@click.option("--all-checks", is_flag=True, help="Run every check, not those alone that have to find it.")
@JSON_OPTION
def run(*, name: str, all_checks: bool, as_json: bool) -> int:
    """Let one saboteur loose, and see which check finds it.

    The exit code is 0 if it was found for the right reason, else 1.
    """
    _known([name])
    with progress() as say:
        row = asyncio.run(matrix.run(name, checks.NAMES if all_checks else (), say))
    if as_json:
        emit(row.record())
    else:
        _show(console(), row)
    return ExitCode.OK if row.is_caught else ExitCode.FAILED


@sabotage.command(
    "matrix",
    epilog="""\b
Examples:
  blindrelay sabotage matrix                             all of them, each against every check
  blindrelay sabotage matrix subject-outside ghost-device --no-honest
""",
)
@_NAMES
@click.option("--honest/--no-honest", default=True, show_default=True, help="Also run the honest system.")
@click.option(
    "--all-checks/--own-checks", default=True, show_default=True, help="Every check, or those that must find it."
)
@click.option("--jobs", "-j", type=click.IntRange(1, 64), default=2, show_default=True, help="So many at once.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the table as JSON to this file.")
@JSON_OPTION
def matrix_(
    *, names: tuple[str, ...], honest: bool, all_checks: bool, jobs: int, out: Path | None, as_json: bool
) -> int:
    """Run saboteurs, and fail unless each is found for the right reason, and the honest system passes."""
    chosen = list(names) or catalogue.names()
    _known(chosen)
    rows: list[Row] = []
    output = console()
    is_clean = True
    with progress() as say:
        if honest:
            proof = asyncio.run(prove(quick=True, say=say))
            is_clean = proof.passed
            if not as_json:
                output.print(
                    f"{_mark(is_clean)} the honest system: {'nothing found' if is_clean else 'FOUND SOMETHING'}"
                )

        def done(row: Row) -> None:
            rows.append(row)
            if as_json:
                emit(row.record())
            else:
                _show(output, row)

        asyncio.run(matrix.run_all(chosen, checks.NAMES if all_checks else (), jobs, done, say))
    if out is not None:
        found = sorted((row.record() for row in rows), key=lambda record: str(record["saboteur"]))
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    caught = sum(row.is_caught for row in rows)
    if not as_json:
        output.print(f"{caught} of {len(rows)} saboteurs found, each for the right reason")
    return ExitCode.OK if is_clean and caught == len(rows) else ExitCode.FAILED


def _known(names: list[str]) -> None:
    for name in names:
        if name not in catalogue.names():
            raise click.UsageError(f"there is no saboteur {name!r}: `blindrelay sabotage list` shows them")


def _mark(good: bool) -> str:
    return "[green]✓[/green]" if good else "[red]✗[/red]"


def _show(output: Console, row: Row) -> None:
    output.print(
        f"{_mark(row.is_caught)} [bold]{row.saboteur.name}[/bold]  {escape(row.saboteur.title)}", soft_wrap=True
    )
    if row.killer is not None:
        check, finding = row.killer
        output.print(
            f"    [cyan]{check}[/cyan] ({finding.reason}), {row.seconds:.0f} s: {escape(printable(finding.text))}",
            soft_wrap=True,
        )
        return
    if row.error is not None:
        output.print(f"    could not be run: {escape(printable(row.error))}", style="red", soft_wrap=True)
    wanted = " or ".join(f"{check} ({reason})" for check, reason in sorted(row.saboteur.caught_by))
    output.print(f"    [red]not found[/red] by {wanted}; noticed by {', '.join(row.noticed_by) or 'nobody'}")
    for verdict in row.verdicts:
        for finding in verdict.findings[:3]:
            output.print(f"    {verdict.check} ({finding.reason}): {escape(printable(finding.text))}", soft_wrap=True)
        if verdict.error:
            output.print(f"    {verdict.check}: {escape(printable(verdict.error))}", soft_wrap=True)
