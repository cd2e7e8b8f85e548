"""Which pauses are asked for: whoever waits for longer because of what somebody wrote tells it to the network."""

import asyncio
import sys
from types import TracebackType
from typing import Any, Final, Self

#: Pauses of these depend on the machine: on how long a commit or a look took, or on when an answer came.
_OF_THE_MACHINE: Final = (
    "blindrelay.relay.store.committer",
    "blindrelay.relay.desk.stream",
    "blindrelay.relay.mqtt.listener",
    "blindrelay.relay.https",
    "blindrelay.clients.rpc",
    "blindrelay.clients.connection",
    "blindrelay.proofs.worlds",
    "blindrelay.proofs.evidence",
)


class Timers:
    """Inside, every pause of more than nothing that our code asks for is noted: where, and how long."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._sleep = asyncio.sleep
        self._call_later = asyncio.BaseEventLoop.call_later

    @property
    def asked(self) -> list[str]:
        """Each place with each length, once, in order."""
        return sorted(self._asked)

    def __enter__(self) -> Self:
        timers = self

        def noting(self: Any, delay: float, *args: Any, **kwargs: Any) -> Any:
            timers._note(delay)
            return timers._call_later(self, delay, *args, **kwargs)

        async def sleeping(delay: float, result: Any = None) -> Any:
            timers._note(delay)
            return await timers._sleep(delay, result)

        asyncio.BaseEventLoop.call_later = noting  # type: ignore[method-assign, assignment]
        asyncio.sleep = sleeping
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.BaseEventLoop.call_later = self._call_later  # type: ignore[method-assign]
        asyncio.sleep = self._sleep

    def _note(self, delay: float) -> None:
        frame = sys._getframe(2)
        while frame is not None and not str(frame.f_globals.get("__name__", "")).startswith("blindrelay."):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return
        module = str(frame.f_globals["__name__"])
        if delay > 0 and not module.startswith(_OF_THE_MACHINE):
            self._asked.add(f"{module}.{frame.f_code.co_name}: {delay:.4f} s")
