"""Demand: an authority asks, and reads the answer."""

from typing import Final

from blindrelay.console.rights import Right
from blindrelay.console.view import View

VIEW: Final = View(
    name="demand",
    title="Demand",
    summary="Ask as an authority does, and read what the relay answers, and why.",
    needs=Right.SEE_CASES,
)
