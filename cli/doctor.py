"""`blindrelay doctor`: what is wrong with a relay, and what to do."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.output import JSON_OPTION, console, emit
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay import config
from blindrelay.relay.doctor import CHECKS, Finding, Grade, Patient, examine
from blindrelay.relay.errors import Unreadable

_MARKS = {
    Grade.WELL: "[green]well[/green]",
    Grade.WATCH: "[yellow]watch[/yellow]",
    Grade.WRONG: "[red]wrong[/red]",
    Grade.UNKNOWN: "[yellow]unknown[/yellow]",
}


@click.command(
    epilog=f"""\b
Examples:
  blindrelay doctor
  blindrelay doctor --data-dir /var/lib/blindrelay
  blindrelay doctor --json | jq 'select(.grade == "wrong")'

\b
It looks at: {", ".join(CHECKS)}.
The exit code is 18 if something is wrong, else 0; --strict counts what is to be watched, too.
""",
)
@home_option
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BLINDRELAY_DATA_DIR",
    help="The data directory.  [default: relay/ in the home]",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file.  [default: blindrelay.toml in the data directory, if there is one]",
)
@click.option("--strict", is_flag=True, help="Fail for what is to be watched as well.")
@JSON_OPTION
def doctor(home: Path, data_dir: Path | None, config_file: Path | None, strict: bool, as_json: bool) -> int:
    """Look for what is wrong with a relay on this machine, whether it runs or not, and say what to do. Nothing is changed."""
    folder = data_dir or (None if config_file else relay_directory(home))
    settings = config.load(folder, config_file)
    if not settings.data_dir.is_dir():
        raise Unreadable(
            f"{settings.data_dir} is no data directory of a relay: start one with `blindrelay up`, or name another"
        )
    findings = list(examine(Patient.find(settings, SystemClock())))
    if as_json:
        for name, finding in findings:
            emit({"check": name, **asdict(finding)})
    else:
        console().print(_table(findings))
    bad = {Grade.WRONG, Grade.WATCH, Grade.UNKNOWN} if strict else {Grade.WRONG}
    return ExitCode.UNHEALTHY if any(finding.grade in bad for _, finding in findings) else ExitCode.OK


def _table(findings: list[tuple[str, Finding]]) -> Table:
    table = Table("grade", "check", "found", box=None, pad_edge=False, show_header=False)
    for column in table.columns:
        column.overflow = "fold"  # a path that is cut is of no use
    for name, finding in findings:
        text = finding.found + (f"\n  → {finding.advice}" if finding.advice else "")
        table.add_row(_MARKS[finding.grade], f"[bold]{name}[/bold]", text)
    return table
