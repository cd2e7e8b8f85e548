"""A real-time order as server-sent events (HTML standard, 9.2), with a beat while nothing happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from blindrelay.policies.stream import StreamEvent

# A comment: readers pass over it, and whoever waits for data knows that the line stands.
_BEAT: Final = b":\n\n"


def encoded(event: StreamEvent) -> bytes:
    """One event. `id` is the position, `event` the kind of record, `data` the record as one line of JSON."""
    return f"id: {event.position}\nevent: {event.record.record}\ndata: {event.record.model_dump_json()}\n\n".encode()


async def server_sent(events: AsyncIterator[StreamEvent], beat_seconds: float) -> AsyncIterator[bytes]:
    """The events of an order, encoded, until it ends. Closing this closes `events`, too."""
    waiting: asyncio.Task[StreamEvent] | None = None
    try:
        # At once, so that the caller knows that it is connected.
        yield _BEAT
        while True:
            waiting = waiting or asyncio.ensure_future(_next(events))
            done, _ = await asyncio.wait({waiting}, timeout=beat_seconds)
            if not done:
                yield _BEAT
                continue
            try:
                event = waiting.result()
            except StopAsyncIteration:
                return
            finally:
                waiting = None
            yield encoded(event)
    finally:
        await _close(events, waiting)


async def _next(events: AsyncIterator[StreamEvent]) -> StreamEvent:
    return await anext(events)


async def _close(events: AsyncIterator[StreamEvent], waiting: "asyncio.Task[StreamEvent] | None") -> None:
    if waiting is not None:
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await waiting
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
