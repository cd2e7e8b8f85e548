"""`blindrelay sabotage`: deliberate leaks, each of which a check must find."""

from pathlib import Path

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit, write_whole
from blindrelay.cli.prove import progress
from blindrelay.cli.sabotage_views import show_control, show_row
from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.prove import Proof
from blindrelay.proofs.saboteurs import catalogue, matrix, quick
from blindrelay.proofs.saboteurs.matrix import Matrix, Plan, Row
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.results import Control, Killed, KillMatrix, control

_CHECK_FILES = click.option(
    "--check-file",
    "check_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A check of your own, which the saboteur names. May be repeated.",
)


@click.group(cls=OrderedGroup)
def sabotage() -> None:
    """See that every check can fail.

    A saboteur makes the relay, a client, a policy or the build leak in one way, in the processes of one run. A leak that no
    check finds is a bug in the checks. How to write one of your own: docs/how-to/write-a-saboteur.md.
    """


@sabotage.command("list")
@JSON_OPTION
def list_(*, as_json: bool) -> None:
    """List the saboteurs: what each does, and which check has to find it."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("saboteur", no_wrap=True)
    for heading in ("lock", "found by", "what it does"):
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


@sabotage.command(
    epilog="""\b
Examples:
  blindrelay sabotage run subject-outside
  blindrelay sabotage run ./my_saboteur.py                    one of your own
  blindrelay sabotage run ./my_saboteur.py --check-file ./my_check.py
  blindrelay sabotage run ghost-device --all-checks           what do the other checks say?
"""
)
@click.argument("name", metavar="NAME|FILE.py")
@click.option(
    "--all-checks", is_flag=True, help="A whole quick run before every check, not before those that must find it."
)
@_CHECK_FILES
@JSON_OPTION
def run(*, name: str, all_checks: bool, check_files: tuple[str, ...], as_json: bool) -> int:
    """Let one saboteur loose, and see which check finds it.

    It takes seconds: no more of a run is made than it shows in. The exit code is 0 if it was found for the right reason,
    else 1.
    """
    _load(check_files)
    saboteur = _found(name)
    with progress() as say:
        row = interruptible(matrix.run(saboteur, _plan(saboteur, all_checks=all_checks), say))
    if as_json:
        emit(Killed.of(row).model_dump(mode="json"))
    else:
        show_row(console(), row)
    return ExitCode.OK if row.is_caught else ExitCode.FAILED


@sabotage.command(
    "matrix",
    epilog="""\b
Examples:
  blindrelay sabotage matrix                             all of them, each before the checks that must find it
  blindrelay sabotage matrix --quick                     some of them: each lock, each check
  blindrelay sabotage matrix subject-outside ./my_saboteur.py
  blindrelay sabotage matrix --out kill-matrix.json      for programs: docs/reference/kill-matrix.md
""",
)
@click.argument("names", nargs=-1, metavar="[NAME|FILE.py]...")
@click.option("--quick", "is_quick", is_flag=True, help="One for each lock and each check, for every day.")
@click.option(
    "--honest/--no-honest", default=True, show_default=True, help="Also run the honest system in the same ways."
)
@click.option(
    "--all-checks", is_flag=True, help="Each in a whole quick run before every check: takes six times as long."
)
@_CHECK_FILES
@click.option("--jobs", "-j", type=click.IntRange(1, 64), default=2, show_default=True, help="So many at once.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what came of it to this file, as JSON, after each. What it says of saboteurs that are not run now stays.",
)
@JSON_OPTION
def matrix_(
    *,
    names: tuple[str, ...],
    is_quick: bool,
    honest: bool,
    all_checks: bool,
    check_files: tuple[str, ...],
    jobs: int,
    out: Path | None,
    as_json: bool,
) -> int:
    """Run saboteurs, and fail unless each is found for the right reason, and nothing in the honest system.

    Each is let loose in as much of a run as it shows in, before the checks that have to find it and every other one that this
    is enough for; with --quick before the former alone. The honest system runs in the same ways, as a control.
    """
    _load(check_files)
    if names and is_quick:
        raise click.UsageError("name saboteurs, or say --quick: not both")
    chosen = [_found(name) for name in names or (quick.NAMES if is_quick else catalogue.names())]
    earlier = _earlier(out)
    output, rows, controls = console(), list[Row](), list[Control]()

    def keep() -> None:
        """Whoever interrupts this keeps what there is."""
        if out is not None:
            results = KillMatrix.of(controls, [Killed.of(row) for row in rows])
            write_whole(out, str(results if earlier is None else results.over(earlier, catalogue.names())))

    def done(row: Row) -> None:
        rows.append(row)
        keep()
        if as_json:
            emit(Killed.of(row).model_dump(mode="json"))
        else:
            show_row(output, row)

    def compared(plan: Plan, proof: Proof) -> None:
        controls.append(control(plan, proof))
        keep()
        if as_json:
            emit(controls[-1].model_dump(mode="json"))
        else:
            show_control(output, controls[-1])

    plans = [(saboteur, _plan(saboteur, all_checks=all_checks)) for saboteur in chosen]
    whole = Matrix(plans if is_quick else [(saboteur, plan.with_others()) for saboteur, plan in plans])
    with progress() as say:
        interruptible(whole.run(jobs, compared if honest else None, done, say))
    caught = sum(row.is_caught for row in rows)
    is_clean = not any(each.found for each in controls)
    if not as_json:
        output.print(f"{caught} of {len(rows)} saboteurs caught, each for the right reason")
        if not is_clean:
            output.print("[red]Something was found in the honest system, too: that finds nobody.[/red]")
    return ExitCode.OK if is_clean and caught == len(rows) else ExitCode.FAILED


def _plan(saboteur: Saboteur, *, all_checks: bool) -> Plan:
    return Plan.whole(saboteur) if all_checks else Plan.least(saboteur)


def _found(name: str) -> Saboteur:
    try:
        saboteur = catalogue.find(name)
    except LookupError as error:
        raise click.UsageError(str(error)) from error
    for check in saboteur.checks:
        try:
            checks.find(check)
        except LookupError:
            raise click.UsageError(
                f"{saboteur.name} has to be found by {check}, and there is no such check: name its file with --check-file"
            ) from None
    return saboteur


def _load(check_files: tuple[str, ...]) -> None:
    for file in check_files:
        checks.find(file)


def _earlier(out: Path | None) -> KillMatrix | None:
    if out is None or not out.exists():
        return None
    try:
        return KillMatrix.read(out)
    except ValueError as error:
        raise click.UsageError(f"{out} is there, and is not a file of this command's: name another") from error
