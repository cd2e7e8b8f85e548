"""`blindrelay desk suspend`, `resume`, `service` and `seat`: the service in a jurisdiction, and which tenant is there."""

from datetime import datetime
from typing import Any

import click

from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.moments import MomentType
from blindrelay.cli.operator_line import OperatorLine, line_options
from blindrelay.cli.output import JSON_OPTION, console, emit, foreign
from blindrelay.protocol.address import check_jurisdiction
from blindrelay.protocol.errors import Malformed

_NOTE = click.option("--note", default="", help="Why, for the record.")


class JurisdictionType(click.ParamType[str]):
    """A jurisdiction, checked where it is typed."""

    name = "cc"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it, or fail with what one looks like."""
        try:
            return check_jurisdiction(str(value))
        except Malformed as error:
            self.fail(str(error), param, ctx)


_WHERE = click.argument("jurisdiction", type=JurisdictionType(), metavar="CC")


@click.command(
    epilog="""\b
Examples:
  blindrelay desk suspend pk --on 2015-11-30     announce it
  blindrelay desk suspend pk                     from now on
"""
)
@_WHERE
@click.option("--on", "effective", type=MomentType(), help="Announce it for that moment; without one it is now.")
@_NOTE
@JSON_OPTION
@line_options
def suspend(line: OperatorLine, jurisdiction: str, effective: datetime | None, note: str, as_json: bool) -> None:
    """Suspend the service in CC, or announce that it will be.

    From then on devices of its tenants are not let in and what they send is refused, with the reason; what they had sent is
    delivered, what comes for them is kept, and nobody elsewhere notices. Everybody in CC is told. An announcement suspends
    nobody when its day has come: say `suspend` again then, or `service extend`, or `service rescind`.
    """
    _move(line, jurisdiction, "suspend", effective, note, as_json=as_json)


@click.command(
    epilog="""\b
Example:
  blindrelay desk resume pk
"""
)
@_WHERE
@_NOTE
@JSON_OPTION
@line_options
def resume(line: OperatorLine, jurisdiction: str, note: str, as_json: bool) -> None:
    """End the suspension in CC: devices are let in again, and find everything that has come meanwhile and has not expired."""
    _move(line, jurisdiction, "resume", None, note, as_json=as_json)


@click.group(
    cls=OrderedGroup,
    epilog="""\b
Examples:
  blindrelay desk service show
  blindrelay desk service extend pk --on 2015-12-30
  blindrelay desk service rescind pk --note "letter of the regulator, 31 December"
""",
)
def service() -> None:
    """Show and change where the service stands, in each jurisdiction."""


@service.command()
@click.argument("jurisdiction", type=JurisdictionType(), metavar="[CC]", required=False)
@JSON_OPTION
@line_options
def show(line: OperatorLine, jurisdiction: str | None, as_json: bool) -> None:
    """Show where the service stands: in CC with its history, or in every jurisdiction in which anything was done."""
    views = line.get("/service") if jurisdiction is None else [line.get(f"/service/{jurisdiction}")]
    for view in views:
        if as_json:
            emit(view)
        else:
            _print(view, with_history=jurisdiction is not None)
    if not views and not as_json:
        click.echo("the service is in operation everywhere, and nobody has announced anything else")


@service.command()
@_WHERE
@click.option("--on", "effective", type=MomentType(), required=True, help="The new day.")
@_NOTE
@JSON_OPTION
@line_options
def extend(line: OperatorLine, jurisdiction: str, effective: datetime, note: str, as_json: bool) -> None:
    """Move the day of a suspension that has been announced."""
    _move(line, jurisdiction, "extend", effective, note, as_json=as_json)


@service.command()
@_WHERE
@_NOTE
@JSON_OPTION
@line_options
def rescind(line: OperatorLine, jurisdiction: str, note: str, as_json: bool) -> None:
    """Take back what was announced or ordered: the service goes on, or is in operation again."""
    _move(line, jurisdiction, "rescind", None, note, as_json=as_json)


@click.command(
    epilog="""\b
Examples:
  blindrelay desk seat karachi.example pk
  blindrelay desk seat karachi.example --unknown
"""
)
@click.argument("tenant")
@click.argument("jurisdiction", type=JurisdictionType(), metavar="[CC]", required=False)
@click.option("--unknown", is_flag=True, help="Nobody knows where it is.")
@line_options
def seat(line: OperatorLine, tenant: str, jurisdiction: str | None, unknown: bool) -> None:
    """Say in which jurisdiction TENANT is at home. Only the relay's operator changes what a tenant has said."""
    if unknown == (jurisdiction is not None):
        raise click.UsageError("name a jurisdiction, or --unknown")
    line.post(f"/tenants/{tenant}/jurisdiction", {"jurisdiction": jurisdiction})
    click.echo(f"{tenant} is in {jurisdiction}" if jurisdiction else f"nobody knows where {tenant} is")


@click.command(
    "put-out",
    epilog="""\b
Example:
  blindrelay desk put-out acme.example
""",
)
@click.argument("tenant")
@click.option("--yes", is_flag=True, help="Do not ask.")
@line_options
def put_out(line: OperatorLine, tenant: str, yes: bool) -> None:
    """Put TENANT out for good: as if it had left itself (`blindrelay tenant leave`), where its administration is gone.

    The public log says that it was not the tenant's own word. It cannot be undone.
    """
    if not yes:
        click.confirm(
            f"Shall {tenant} be put out for good, and all that is held of it be deleted?", abort=True, err=True
        )
    line.post(f"/tenants/{tenant}/departure", {})
    click.echo(f"{tenant} is out: nothing is taken for it any more")


def _move(
    line: OperatorLine, jurisdiction: str, action: str, effective: datetime | None, note: str, *, as_json: bool
) -> None:
    body = {"action": action, "effective": effective and effective.isoformat(), "note": note}
    view = line.post(f"/service/{jurisdiction}", body)
    if as_json:
        emit(view)
    else:
        _print(view, with_history=False)


def _print(view: dict[str, Any], *, with_history: bool) -> None:
    output = console()
    when = f", from {view['effective']} on" if view["effective"] else ""
    output.print(foreign(f"{view['jurisdiction']}: {view['state']}{when}", "bold"))
    if view["overdue"]:
        output.print("  that moment has passed: say `suspend`, `service extend` or `service rescind`", style="yellow")
    output.print(foreign(f"  tenants: {', '.join(view['tenants']) or 'none'}"))
    for change in view["history"] if with_history else ():
        note = f": {change['note']}" if change["note"] else ""
        line = f"  {change['changed_at']}  {change['move']} -> {change['state']}, by {change['made_by']}{note}"
        output.print(foreign(line), soft_wrap=True)
