"""`blindrelay scenario`: who demands what under which instrument, and what comes of it, run against a whole relay."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit, printable, write_whole
from blindrelay.policies.scenarios import schema
from blindrelay.policies.scenarios.document import SUFFIX, Source, find, read
from blindrelay.proofs.scenarios import reports
from blindrelay.proofs.scenarios.player import play
from blindrelay.proofs.scenarios.results import Entry, Result

#: Where those are that come along.
_SHIPPED = Path(schema.__file__).resolve().parents[1]
_TEMPLATE = Path(__file__).resolve().with_name("new.scenario.yaml")
_PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))


@click.group(cls=OrderedGroup)
def scenario() -> None:
    """Test policies with scenarios.

    A scenario is one YAML file: a clock, enterprises and their traffic, demands, and what is expected of each data class, with
    reasons. It runs against a whole relay in this process, with real devices, real encryption, and a clock that is moved by the
    scenario: months take seconds.
    """


@scenario.command(
    epilog="""\b
Examples:
  blindrelay scenario run                                 everything that comes along
  blindrelay scenario run policies/ mine.scenario.yaml    files, and folders with files *.scenario.yaml
  blindrelay scenario run mine.scenario.yaml --policies packs/   with policy packs of your own
  blindrelay scenario run policies/ --quiet --junit results.xml --html results.html
"""
)
@_PATHS
@click.option("--variant", help="Run this variant alone.")
@click.option(
    "--policies",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Policy packs to run them with, in place of those that they name. May be repeated.",
)
@click.option("--quiet", "-q", is_flag=True, help="A line for each run, without its timeline.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML to this file.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page that stands alone to this file."
)
@JSON_OPTION
def run(
    *,
    paths: tuple[Path, ...],
    variant: str | None,
    policies: tuple[Path, ...],
    quiet: bool,
    junit: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Run scenarios and say what was not as expected, with the decision that led to it.

    The exit code is 0 if everything was as expected, 1 if something was not, 13 if a file is no scenario. Without PATHS, all
    scenarios that come along are run.
    """
    sources = [read(path) for path in find(list(paths) or [_SHIPPED])]
    if policies:
        sources = [source.with_policies([folder.resolve() for folder in policies]) for source in sources]
    runs = [(source, one) for source in sources for one in source.scenario.runs() if variant in {None, one}]
    if not runs:
        raise click.UsageError(f"none of these scenarios has a variant {variant!r}: see `blindrelay scenario list`")
    results: list[Result] = []
    output = console()
    with _progress(len(runs)) as advance:
        for source, one in runs:
            result = interruptible(_play(source, one, advance))
            results.append(result)
            if as_json:
                emit(reports.as_json(result))
            else:
                _show(output, result, quiet=quiet)
    if junit is not None:
        write_whole(junit, reports.junit(results))
    if html is not None:
        write_whole(html, reports.html(results))
    failed = [result for result in results if not result.passed]
    if not as_json:
        checked, searched = sum(one.checked for one in results), sum(one.searched for one in results)
        output.print(
            f"{len(results) - len(failed)} of {len(results)} runs passed; {checked:,} expectations compared, "
            f"{searched:,} bytes searched for what people wrote"
        )
    return ExitCode.FAILED if failed else ExitCode.OK


class _Advance:
    """Moves the two bars: of the runs, and of what happens in the one under way."""

    def __init__(self, progress: Progress, runs: int) -> None:
        self._progress = progress
        self._runs = progress.add_task("runs", total=runs)
        self._steps = progress.add_task("", total=None)

    def step(self, what: str, done: int, total: int) -> None:
        """See `player.Progress`."""
        self._progress.update(self._steps, description=escape(printable(what))[:60], completed=done, total=total)

    def over(self) -> None:
        """A run has ended."""
        self._progress.advance(self._runs)


@contextmanager
def _progress(runs: int) -> Iterator[_Advance]:
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as progress:
        yield _Advance(progress, runs)


async def _play(source: Source, variant: str | None, advance: _Advance) -> Result:
    try:
        return await play(source, variant, advance.step)
    finally:
        advance.over()


def _show(output: Console, result: Result, *, quiet: bool) -> None:
    mark = "[green]✓[/green]" if result.passed else "[red]✗[/red]"
    title = result.title if result.variant_title is None else f"{result.title}: {result.variant_title}"
    reference = f" ({result.reference})" if result.reference else ""
    output.print(
        f"{mark} [bold]{escape(result.name)}[/bold]  {escape(title + reference)}  [dim]{result.seconds:.1f} s[/dim]"
    )
    if not quiet:
        for entry in result.entries:
            _show_entry(output, entry)
    if not result.passed:
        output.print(printable(result.failure()), style="red", markup=False, soft_wrap=True)


def _show_entry(output: Console, entry: Entry) -> None:
    mark = "[red]✗[/red]" if entry.findings else "[green]✓[/green]" if entry.checked else " "
    checked = f"  [dim]{entry.checked} compared[/dim]" if entry.checked else ""
    output.print(f"  {mark} [cyan]{entry.at:%Y-%m-%d %H:%M}[/cyan]  {escape(printable(entry.title))}{checked}")
    for line in entry.details:
        output.print(f"                        [dim]{escape(printable(line))}[/dim]")


@scenario.command("list")
@_PATHS
@JSON_OPTION
def list_(*, paths: tuple[Path, ...], as_json: bool) -> None:
    """List scenarios and their variants. Without PATHS: those that come along."""
    sources = [read(path) for path in find(list(paths) or [_SHIPPED])]
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("scenario", "variant", "", "title"):
        table.add_column(heading)
    for source in sources:
        found = source.scenario
        if as_json:
            emit(
                {
                    "scenario": found.scenario,
                    "title": found.title,
                    "reference": found.reference,
                    "variants": found.variants,
                    "file": str(source.path),
                }
            )
        table.add_row(found.scenario, "", found.reference or "", found.title)
        for name, title in found.variants.items():
            table.add_row("", name, "", title, style="dim")
    if not as_json:
        console().print(table)


@scenario.command(
    epilog="""\b
Example:
  blindrelay scenario new mine.scenario.yaml
  blindrelay scenario run mine.scenario.yaml
"""
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def new(file: Path) -> None:
    """Write a scenario to start from, and the schema beside it by which editors complete and check it.

    The file's name ends in .scenario.yaml; what is there already is left alone.
    """
    if not file.name.endswith(SUFFIX):
        raise click.UsageError(f"the name of a scenario file ends in {SUFFIX}: {file.name.partition('.')[0]}{SUFFIX}")
    if file.exists():
        raise click.UsageError(f"{file} is there already: choose another name")
    text = _TEMPLATE.read_text(encoding="utf-8")
    name = "".join(c if c.isalnum() else "-" for c in file.name.removesuffix(SUFFIX).lower()).strip("-") or "mine"
    file.write_text(text.replace("scenario: mine\n", f"scenario: {name[:40]}\n"), encoding="utf-8")
    shutil.copyfile(schema.PUBLISHED, file.with_name(schema.PUBLISHED.name))
    console().print(f"wrote {file}; run it with: blindrelay scenario run {file}")
