"""Evidence: why one need not believe it."""

from typing import Final

from blindrelay.console.rights import Right
from blindrelay.console.view import View

VIEW: Final = View(
    name="evidence",
    title="Evidence",
    summary="Why you need not take our word: proofs, public logs, and a check in your own browser.",
    needs=Right.SEE_EVIDENCE,
)
