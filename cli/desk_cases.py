"""`blindrelay desk list`, `show`, `letter`, `approve`, `reject`, `call-back`, `event` and `orders`: the work on cases."""

import contextlib
from typing import Any

import click

from blindrelay.cli.bars import bar_of
from blindrelay.cli.operator_line import LineFailed, OperatorLine, line_options
from blindrelay.cli.output import JSON_OPTION, console, emit, foreign
from blindrelay.policies.vocabulary import EventKind

_CASE = click.argument("case", type=click.UUID)
_DEMAND = click.argument("demand")
# As `desk.RECORDABLE`: the rest has commands of its own.
_EVENTS = (
    EventKind.OBJECTION,
    EventKind.CLEARANCE,
    EventKind.CONFIRMATION,
    EventKind.NOT_CONFIRMED,
    EventKind.FOLLOW_UP,
    EventKind.RENEWAL,
)


@click.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Closed cases, too.")
@JSON_OPTION
@line_options
def list_(line: OperatorLine, everything: bool, as_json: bool) -> None:
    """List the open cases: what each waits for, and what is odd about it."""
    found = line.get(f"/cases?closed={str(everything).lower()}")
    if as_json:
        for summary in found:
            emit(summary)
        return
    if not found:
        click.echo("there is no open case" if not everything else "there has been no case")
        return
    for summary in found:
        _print_summary(summary)


def _print_summary(summary: dict[str, Any]) -> None:
    output = console()
    output.print(foreign(f"{summary['case_id']}  {summary['state']}", "bold"))
    marks = [*(["emergency"] if summary["is_emergency"] else []), *(["test"] if summary["is_test"] else [])]
    outcomes = ", ".join(f"{demand} {outcome}" for demand, outcome in summary["outcomes"])
    for name, value in (
        ("from", f"{summary['authority_id']}, {summary['officer']}"),
        ("under", " ".join([summary["instrument"], *(f"({mark})" for mark in marks)])),
        ("received", _moment(summary["received_at"])),
        ("answer by", _moment(summary["deadline"]) if summary["deadline"] else ""),
        ("demands", outcomes),
    ):
        if value:
            output.print(foreign(f"  {name:<10} {value}"), soft_wrap=True)
    for text in summary["signals"]:
        output.print(foreign(f"  signal     {text}", "yellow"), soft_wrap=True)
    for text in summary["waits_for"]:
        output.print(foreign(f"  waits for  {text}", "bold"), soft_wrap=True)


@click.command()
@_CASE
@JSON_OPTION
@line_options
def show(line: OperatorLine, case: object, as_json: bool) -> None:
    """Show everything about CASE: the request, what was decided and by which policy, who approved, what happened."""
    detail = line.get(f"/cases/{case}")
    if as_json:
        emit(detail)
    else:
        _print(detail)


@click.command()
@_CASE
@line_options
def letter(line: OperatorLine, case: object) -> None:
    """Print the answer to CASE as the authority reads it."""
    console().print(foreign(line.get(f"/cases/{case}/letter")["letter"]), soft_wrap=True)


@click.command(
    epilog="""\b
Example:
  blindrelay desk approve 6b0a... d1 --token-file ada.token
"""
)
@_CASE
@_DEMAND
@JSON_OPTION
@line_options
def approve(line: OperatorLine, case: object, demand: str, as_json: bool) -> None:
    """Approve DEMAND of CASE as it is granted now.

    The last approval that it takes releases it, and it is never by somebody who has reviewed it before. When what is granted
    changes, approvals of what was granted earlier count no more.
    """
    _act(line, case, "approvals", {"demand_id": demand}, as_json=as_json)


@click.command()
@_CASE
@_DEMAND
@click.option("--reason", required=True, help="Why, for the case file; the authority does not read it.")
@JSON_OPTION
@line_options
def reject(line: OperatorLine, case: object, demand: str, reason: str, as_json: bool) -> None:
    """Refuse DEMAND of CASE, though the policies would grant it. It is final."""
    _act(line, case, "rejections", {"demand_id": demand, "reason": reason}, as_json=as_json)


@click.command(name="call-back")
@_CASE
@click.option("--confirmed/--denied", required=True, help="What the agency said.")
@JSON_OPTION
@line_options
def call_back(line: OperatorLine, case: object, confirmed: bool, as_json: bool) -> None:
    """Write down what the agency said when it was called on the number of our register, about CASE."""
    _act(line, case, "call-backs", {"confirmed": confirmed}, as_json=as_json)


@click.command(
    epilog="""\b
Example:
  blindrelay desk event 6b0a... objection --demand d1 --note "letter of 4 May"
"""
)
@_CASE
@click.argument("kind", type=click.Choice([kind.value for kind in _EVENTS]))
@click.option("--demand", help="Which demand it is about.  [default: all]")
@click.option("--note", default="", help="For the case file.")
@JSON_OPTION
@line_options
def event(line: OperatorLine, case: object, kind: str, demand: str | None, note: str, as_json: bool) -> None:
    """Write down that KIND has happened to CASE: it is decided again in that light, and never more is given than before.

    \b
    objection       an authority that was notified objects
    clearance       it says that it will not
    confirmation    the agency confirms that an order on our list is genuine
    not-confirmed   it says that it is not
    follow-up       the process that was owed after an emergency has come
    renewal         a preservation is renewed
    """
    _act(line, case, "events", {"kind": kind, "demand_id": demand, "note": note}, as_json=as_json)


@click.command()
@JSON_OPTION
@line_options
def orders(line: OperatorLine, as_json: bool) -> None:
    """Print the lists of orders for agencies to confirm (India: every fifteen days)."""
    found = line.get("/order-lists")
    for listed in found:
        if as_json:
            emit(listed)
            continue
        click.echo(f"{listed['jurisdiction']}  {_moment(listed['start'])} to {_moment(listed['end'])}")
        for case in listed["cases"]:
            click.echo(f"  {case}  {'confirmed' if case in listed['confirmed'] else 'not confirmed'}")
    if not found and not as_json:
        click.echo("no list is due in any jurisdiction")


def _act(line: OperatorLine, case: object, what: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Do something about a case. What releases it is answered when the package is made, and that may take a while."""

    def look() -> tuple[int, int] | None:
        with contextlib.suppress(LineFailed):
            if making := line.get(f"/cases/{case}/making"):
                return sum(one["done"] for one in making.values()), sum(one["of"] for one in making.values())
        return None

    with bar_of("making the package", look):
        detail = line.post(f"/cases/{case}/{what}", body)
    if as_json:
        emit(detail)
        return
    summary = detail["summary"]
    outcomes = ", ".join(f"{demand} {outcome}" for demand, outcome in summary["outcomes"])
    click.echo(f"{summary['case_id']} is {summary['state']}: {outcomes}")
    for waiting in summary["waits_for"]:
        click.echo(f"  waits for  {waiting}")


def _print(detail: dict[str, Any]) -> None:
    summary, stated, output = detail["summary"], detail["request"]["authorisation"], console()
    _print_summary(summary)
    output.print(foreign(f"  reference  {stated['reference']}"), soft_wrap=True)
    if summary["is_emergency"]:
        output.print(foreign(f"  danger     {stated['emergency_grounds'] or 'no word of what it is'}"), soft_wrap=True)
    for demand in (detail["decision"] or {"demands": ()})["demands"]:
        _print_demand(demand)
    for approval in detail["approvals"]:
        counts = "" if approval["counts"] else " (of what was granted then; it counts no more)"
        output.print(foreign(f"  approved   {approval['demand_id']} by {approval['operator']}{counts}"))
    output.print("  history")
    for row in detail["history"]:
        output.print(foreign(f"    {_moment(row['at'])}  {row['text']}"), soft_wrap=True)


def _print_demand(demand: dict[str, Any]) -> None:
    output = console()
    ground = f" ({demand['ground']})" if demand["ground"] else ""
    output.print(foreign(f"  demand {demand['demand_id']}: {demand['outcome']}{ground}", "bold"))
    for item in demand["classes"]:
        why = f" ({item['ground']})" if item["ground"] else ""
        output.print(foreign(f"    {item['data_class']:<10} {item['outcome']}{why}"))
        for reason in item["reasons"]:
            output.print(foreign(f"      {reason['policy_id']}: {reason['text']} [{reason['source']}]"), soft_wrap=True)
    for reason in demand["reasons"] if not demand["classes"] else ():
        output.print(foreign(f"      {reason['policy_id']}: {reason['text']} [{reason['source']}]"), soft_wrap=True)


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")
