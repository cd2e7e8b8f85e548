"""`blindrelay authority`: the side that asks."""

import click

from blindrelay.cli.lazy import Entry, LazyGroup

_MAKE, _ASK = "blindrelay.cli.authority_identity", "blindrelay.cli.authority_request"
_CASES = "blindrelay.cli.authority_cases"
_WHO, _WHAT, _CASE = "Who you are", "To ask", "What came of it"

COMMANDS = {
    "init": Entry(_MAKE, "init", "Make an authority: its certificates, and the key that packages are sealed to.", _WHO),
    "renew": Entry(_MAKE, "renew", "Issue the officer's certificate anew.", _WHO),
    "request": Entry(_ASK, "request", "Hand in a request, and read the answer.", _WHAT),
    "status": Entry(_CASES, "status", "How a case stands.", _CASE),
    "open": Entry(_CASES, "open_", "Fetch, verify and open what was disclosed.", _CASE),
    "watch": Entry(_CASES, "watch", "Follow a real-time order.", _CASE),
    "withdraw": Entry(_CASES, "withdraw", "Take a request back.", _CASE),
}


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    epilog="""\b
A first demand, with a relay running (`blindrelay up`):
  blindrelay authority init us-court --title "District Court" --officer "J. Doe" --jurisdiction us --kind judge
  blindrelay desk register us-court.json ...              (the relay's operator does this)
  blindrelay authority request --instrument us/d-order --reference 26-cv-1 ... --class TRAFFIC --target bob@globex.example
  blindrelay authority open

\b
BLINDRELAY_AUTHORITY says who you are without --as; if there is one authority in the home only, it is that one.
Nothing here is legal advice.
""",
)
def authority() -> None:
    """Be an authority: ask a relay's lawful desk for what an instrument reaches, and open what it discloses.

    The identity is made here and never leaves: a relay's operator gets its card, and enters it or does not.
    """
