"""Scenarios: history, played."""

from typing import Final

from blindrelay.console.rights import Right
from blindrelay.console.view import View

VIEW: Final = View(
    name="scenarios",
    title="Scenarios",
    summary="Play what has happened, or could: demands, decisions, and what came out.",
    needs=Right.SEE_EVIDENCE,
)
