"""What is live, as channels: each holds the newest states of things, under keys, and tells whoever listens of changes.

A state is whole: whoever has missed some has what there is when it gets the next. So a listener that is slow, or comes back,
gets the newest state of each thing and not the way to it; nothing piles up, and memory is flat however much happens.

There is a channel for each point of view, and a stream of its own for each: what one may see is never in the other's.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

#: States that a channel keeps for those who come, and that wait for a listener.
KEPT: Final = 200
#: Seconds between two frames of a listener: what happens in between goes out together.
FRAME: Final = 0.04

State = Mapping[str, Any]


class Channel:
    """States under keys. When there are too many, that goes which has not changed for the longest time."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._states: OrderedDict[str, str] = OrderedDict()
        self._listeners: set[_Listener] = set()
        self._closed = False

    def put(self, key: str, state: State) -> None:
        """Something is so now. `key` names it; what was said of it before is forgotten."""
        encoded = json.dumps({"key": key, **state}, ensure_ascii=False, separators=(",", ":"))
        self._states[key] = encoded
        self._states.move_to_end(key)
        if len(self._states) > self._kept:
            self._states.popitem(last=False)
        for listener in self._listeners:
            listener.put(key, encoded)

    def remove(self, key: str) -> None:
        """It is not there any more, and those who come are not told of it."""
        if self._states.pop(key, None) is not None:
            gone = json.dumps({"key": key, "gone": True})
            for listener in self._listeners:
                listener.put(key, gone)

    def clear(self) -> None:
        """Forget everything."""
        for key in list(self._states):
            self.remove(key)

    def get(self, key: str) -> dict[str, Any] | None:
        """What is so now."""
        encoded = self._states.get(key)
        return None if encoded is None else json.loads(encoded)

    async def frames(self) -> AsyncIterator[str]:
        """JSON objects: at once one with everything (`whole`), then one for the changes of each `FRAME`, until `close`.

        `items` are the states; `dropped` is how many were forgotten because there were too many for one frame.
        """
        listener = _Listener(self._kept, self._states)
        self._listeners.add(listener)
        try:
            yield listener.frame(whole=True)
            while not self._closed:
                await listener.wake.wait()
                if self._closed:
                    return
                yield listener.frame(whole=False)
                await asyncio.sleep(FRAME)
        finally:
            self._listeners.discard(listener)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for listener in self._listeners:
            listener.wake.set()


class _Listener:
    """What one browser has not been told yet."""

    def __init__(self, at_most: int, states: Mapping[str, str]) -> None:
        self._at_most = at_most
        self._pending: OrderedDict[str, str] = OrderedDict(states)
        self._dropped = 0
        self.wake = asyncio.Event()

    def put(self, key: str, encoded: str) -> None:
        self._pending[key] = encoded
        self._pending.move_to_end(key)
        if len(self._pending) > self._at_most:
            self._pending.popitem(last=False)
            self._dropped += 1
        self.wake.set()

    def frame(self, *, whole: bool) -> str:
        items = ",".join(self._pending.values())
        frame = f'{{"whole":{json.dumps(whole)},"dropped":{self._dropped},"items":[{items}]}}'
        self._pending.clear()
        self._dropped = 0
        self.wake.clear()
        return frame


class Channels:
    """All of them.

    Attributes:
        status: whether the relay is there; everybody may know.
        clients: what people see. In no other one is a word of theirs.
        relay: what the relay keeps.
        authority: what an authority gets.
    """

    def __init__(self) -> None:
        self.status = Channel()
        self.clients = Channel()
        self.relay = Channel()
        self.authority = Channel()

    def close(self) -> None:
        """End every stream."""
        for channel in (self.status, self.clients, self.relay, self.authority):
            channel.close()
