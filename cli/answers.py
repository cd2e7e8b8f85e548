"""How a desk's answer looks: the letter, then a line for each class."""

from datetime import datetime

import click
from rich import box
from rich.table import Table

from blindrelay.cli.output import console, emit, foreign, printable
from blindrelay.policies.exchange import CaseAnswer, ClassAnswer, DemandAnswer
from blindrelay.policies.request import Timespan
from blindrelay.policies.vocabulary import TaskStatus

_STREAMS = {TaskStatus.ACTIVE: "runs {}", TaskStatus.EXPIRED: "ran {}, and can be read again"}


def show(answer: CaseAnswer, *, as_json: bool, letter: bool = True) -> None:
    """Print an answer, for people or for programs."""
    if as_json:
        emit(answer.model_dump(mode="json"))
        return
    out = console()
    if letter and answer.letter:
        click.echo(printable(answer.letter))
    out.print(foreign(f"case {answer.case_id}: {answer.state.value}", "bold"))
    out.print(_table(answer))
    for line in _what_next(answer):
        out.print(foreign(line))


def _table(answer: CaseAnswer) -> Table:
    table = Table(box=box.SIMPLE)
    for heading in ("demand", "class", "outcome", "status", "ground"):
        table.add_column(heading, no_wrap=True)
    table.add_column("decided by", overflow="fold")
    for demand in answer.demands:
        rows: list[ClassAnswer | DemandAnswer] = list(demand.classes) or [demand]
        for row in rows:
            table.add_row(
                demand.demand_id,
                row.data_class.value if isinstance(row, ClassAnswer) else "",
                row.outcome.value,
                row.status.value,
                row.ground.value if row.ground else "",
                foreign(", ".join(reason.policy for reason in row.reasons)),
            )
    return table


def _what_next(answer: CaseAnswer) -> list[str]:
    return [line for demand in answer.demands for line in _next(demand)]


def _next(demand: DemandAnswer) -> list[str]:
    said = []
    if demand.package_is_ready:
        said.append(f"{demand.demand_id} has been released: blindrelay authority open")
    if demand.release_not_before:
        said.append(f"{demand.demand_id} is not released before {moment(demand.release_not_before)}")
    if demand.preserved_until:
        said.append(f"{demand.demand_id} is preserved until {moment(demand.preserved_until)}")
    if demand.stream and demand.status in _STREAMS:
        said.append(
            f"{demand.demand_id} {_STREAMS[demand.status].format(span(demand.stream))}: blindrelay authority watch"
        )
    if demand.follow_up_due:
        said.append(f"{demand.demand_id} needs the ordinary process by {moment(demand.follow_up_due)}")
    if demand.redirect_to:
        said.append(f"{demand.demand_id} is for {demand.redirect_to}")
    return said


def moment(at: datetime) -> str:
    """A moment, to the minute, with its zone."""
    return f"{at:%Y-%m-%d %H:%M %Z}"


def span(window: Timespan) -> str:
    """A window."""
    return f"{moment(window.start)} to {moment(window.end)}"
