"""Metadata is not nothing: what can be concluded from the records alone."""

from typing import Final

from blindrelay.console.rights import Right
from blindrelay.console.view import View

VIEW: Final = View(
    name="metadata",
    title="Metadata",
    summary="What can be concluded from the records alone, though nobody reads a word.",
    needs=Right.SEE_EVIDENCE,
)
