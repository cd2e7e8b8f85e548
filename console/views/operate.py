"""Operate: how the relay is doing."""

from typing import Final

from blindrelay.console.rights import Right
from blindrelay.console.view import View

VIEW: Final = View(
    name="operate",
    title="Operate",
    summary="How the relay is doing: throughput, waiting messages, tenants, orders.",
    needs=Right.SEE_SERVICE,
)
