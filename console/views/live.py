"""Live: the same message, three times."""

from typing import Final

from blindrelay.console.rights import Right
from blindrelay.console.view import View

VIEW: Final = View(
    name="live",
    title="Live",
    summary="The same messages as the people, the relay and an authority have them.",
    needs=Right.SEE_RELAY,
)
