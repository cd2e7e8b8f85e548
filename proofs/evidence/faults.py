"""Makes something fail in the running relay, once, at a chosen place: an exception that nobody has expected, and that quotes
all that the code had in hand, as the worst of real ones do. Called in the relay's own process (`child`).
"""

import inspect
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, Final

#: By name: module, class and method. A request of a device's, a letter on its way, an authority's call, a step of a case.
PLACES: Final = {
    "request": ("blindrelay.relay.rpc", "Rpc", "_carry_out"),
    "letter": ("blindrelay.relay.intake", "Intake", "take"),
    "call": ("blindrelay.relay.desk.desk", "Desk", "receive"),
    "step": ("blindrelay.relay.desk.work", "Clerk", "carry_out"),
}


class Injected(Exception):
    """Nothing is wrong; the harness has raised it."""


class Faults:
    """What is to fail, and what has."""

    def __init__(self) -> None:
        self.raised: dict[str, int] = {}

    def arm(self, place: str) -> None:
        """Let the next call at a place fail. Raises `KeyError` when there is no such place."""
        module, name, method = PLACES[place]
        owner = getattr(import_module(module), name)
        original = getattr(owner, method)

        def fail(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            setattr(owner, method, original)
            self.raised[place] = self.raised.get(place, 0) + 1
            raise Injected(f"{name}.{method}, called with {arguments!r} {keywords!r}")

        setattr(owner, method, _failing(original, fail))


def _failing(original: Any, fail: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> Any:
    """It fails when it is awaited, if it is a coroutine function, and else when it is called."""
    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def failing(*arguments: Any, **keywords: Any) -> None:
            fail(arguments, keywords)
    else:

        @wraps(original)
        def failing(*arguments: Any, **keywords: Any) -> None:
            fail(arguments, keywords)

    return failing
