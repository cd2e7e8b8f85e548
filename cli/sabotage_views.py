"""The kill matrix on the terminal."""

from rich.console import Console
from rich.markup import escape

from blindrelay.cli.output import printable
from blindrelay.proofs.saboteurs.matrix import Row
from blindrelay.proofs.saboteurs.results import Control

_SHOWN = 3


def show_row(output: Console, row: Row) -> None:
    """Print what became of a saboteur."""
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
    output.print(f"    [red]not found[/red] by {wanted}")
    for verdict in row.verdicts:
        for finding in verdict.findings[:_SHOWN]:
            output.print(f"    {verdict.check} ({finding.reason}): {escape(printable(finding.text))}", soft_wrap=True)
        if verdict.error:
            output.print(f"    {verdict.check}: {escape(printable(verdict.error))}", soft_wrap=True)


def show_control(output: Console, control: Control) -> None:
    """Print what was found in the honest system: nothing, or what."""
    parts = ", ".join(control.stages) or "no run"
    output.print(
        f"{_mark(not control.found)} [bold]the honest system[/bold]  {parts}: {', '.join(control.checks)}",
        soft_wrap=True,
    )
    for text in control.found[:_SHOWN]:
        output.print(f"    [red]found[/red]: {escape(printable(text))}", soft_wrap=True)


def _mark(good: bool) -> str:
    return "[green]✓[/green]" if good else "[red]✗[/red]"
