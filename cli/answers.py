"""How a desk's answer looks: the letter, then a line for each class."""

from datetime import datetime

from rich import box
from rich.table import Table

from blindrelay.cli.output import console, emit, foreign, printable
from blindrelay.policies.exchange import CaseAnswer, ClassAnswer, DemandAnswer
from blindrelay.policies.request import Timespan


def show(answer: CaseAnswer, *, as_json: bool, letter: bool = True) -> None:
    """Print an answer, for people or for programs."""
    if as_json:
        emit(answer.model_dump(mode="json"))
        return
    out = console()
    if letter and answer.letter:
        out.print(foreign(answer.letter))
        out.print()
    out.print(foreign(f"case {answer.case_id}: {answer.state.value}", "bold"))
    out.print(_table(answer))
    for line in _what_next(answer):
        out.print(foreign(line))


def _table(answer: CaseAnswer) -> Table:
    table = Table("demand", "class", "outcome", "status", "ground", "window", "decided by", box=box.SIMPLE)
    for demand in answer.demands:
        for item in demand.classes:
            table.add_row(demand.demand_id, *_class(item))
        if not demand.classes:
            ground = demand.ground.value if demand.ground else ""
            policies = ", ".join(reason.policy for reason in demand.reasons)
            table.add_row(
                demand.demand_id, "", demand.outcome.value, demand.status.value, ground, "", printable(policies)
            )
    return table


def _class(item: ClassAnswer) -> tuple[str, ...]:
    return (
        item.data_class.value,
        item.outcome.value,
        item.status.value,
        item.ground.value if item.ground else "",
        span(item.window) if item.window else "",
        printable(", ".join(reason.policy for reason in item.reasons)),
    )


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
    if demand.stream:
        said.append(f"{demand.demand_id} runs {span(demand.stream)}: blindrelay authority watch")
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
