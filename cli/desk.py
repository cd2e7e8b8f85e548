"""`blindrelay desk`: what the relay's own people do at the lawful desk."""

import click

from blindrelay.cli import desk_cases, desk_register, desk_service
from blindrelay.cli.lazy import OrderedGroup


@click.group(
    cls=OrderedGroup,
    epilog="""\b
On the relay's machine, once:
  blindrelay desk register court.json --jurisdiction us --kind judge --call-back "+1 202 555 0100"
  blindrelay desk operator add ada --token-file ada.token
  blindrelay desk operator add bea --token-file bea.token

\b
Then each person with a token of their own, while the relay runs:
  export BLINDRELAY_OPERATOR_TOKEN_FILE=ada.token
  blindrelay desk list
  blindrelay desk show CASE
  blindrelay desk approve CASE d1

Nothing leaves before as many different persons have approved as the configuration says (two).
""",
)
def desk() -> None:
    """Work at the lawful desk: authorities, cases, approvals.

    The policies decide what may leave; persons decide whether it does. Every step is written into the case file first.
    Nothing here is legal advice.
    """


for _command in (
    desk_register.register,
    desk_register.authorities,
    desk_register.strike,
    desk_register.protect,
    desk_register.operator,
    desk_cases.list_,
    desk_cases.show,
    desk_cases.letter,
    desk_cases.approve,
    desk_cases.reject,
    desk_cases.call_back,
    desk_cases.event,
    desk_cases.orders,
    desk_service.suspend,
    desk_service.resume,
    desk_service.service,
    desk_service.seat,
    desk_service.put_out,
):
    desk.add_command(_command)
