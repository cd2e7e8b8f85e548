"""What is live, as channels: each holds the newest states of things, under keys, and tells whoever listens of changes.

A state is whole: whoever has missed some has what there is when it gets the next. So a listener that is slow, or comes back,
gets the newest state of each thing and not the way to it; nothing piles up, and memory is flat however much happens.

Most states are of things of which there are ever more (messages, records): the oldest are forgotten. Some are of things of
which there is one (the order that is in force, the pace): these last, and no number of the others pushes them out.

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


class _States:
    """Encoded states under keys. When there are too many, that goes which has not changed for the longest time."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._passing: OrderedDict[str, str] = OrderedDict()
        self._lasting: dict[str, str] = {}
        self.dropped = 0

    def put(self, key: str, encoded: str, *, lasting: bool) -> None:
        if lasting:
            self._lasting[key] = encoded
            return
        self._passing[key] = encoded
        self._passing.move_to_end(key)
        if len(self._passing) > self._kept:
            self._passing.popitem(last=False)
            self.dropped += 1

    def pop(self, key: str) -> None:
        """Forget one, if it is there."""
        self._lasting.pop(key, None)
        self._passing.pop(key, None)

    def lasts(self, key: str) -> bool:
        return key in self._lasting

    def get(self, key: str) -> str | None:
        return self._lasting.get(key, self._passing.get(key))

    def take(self, other: "_States") -> None:
        """What the other one has, too."""
        self._lasting.update(other._lasting)
        self._passing.update(other._passing)

    def frame(self, *, whole: bool) -> str:
        """All of them, encoded; what lasts comes first."""
        items = ",".join((*self._lasting.values(), *self._passing.values()))
        return f'{{"whole":{json.dumps(whole)},"dropped":{self.dropped},"items":[{items}]}}'


class Channel:
    """States under keys. `kept`: how many of those that do not last; the ones that changed last."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._states = _States(kept)
        self._listeners: set[_Listener] = set()
        self._closed = False

    def put(self, key: str, state: State, *, lasting: bool = False) -> None:
        """Something is so now. `key` names it; what was said of it before is forgotten.

        Args:
            lasting: there are few such things, and they are kept until `remove`. A key is one or the other for good.
        """
        encoded = json.dumps({"key": key, **state}, ensure_ascii=False, separators=(",", ":"))
        self._states.put(key, encoded, lasting=lasting)
        for listener in self._listeners:
            listener.put(key, encoded, lasting=lasting)

    def remove(self, key: str) -> None:
        """It is not there any more, and those who come are not told of it."""
        if self._states.get(key) is None:
            return
        lasting = self._states.lasts(key)
        self._states.pop(key)
        for listener in self._listeners:
            listener.put(key, json.dumps({"key": key, "gone": True}), lasting=lasting)

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

    def __init__(self, at_most: int, states: _States) -> None:
        self._at_most = at_most
        self._pending = _States(at_most)
        self._pending.take(states)
        self.wake = asyncio.Event()

    def put(self, key: str, encoded: str, *, lasting: bool) -> None:
        self._pending.put(key, encoded, lasting=lasting)
        self.wake.set()

    def frame(self, *, whole: bool) -> str:
        frame, self._pending = self._pending.frame(whole=whole), _States(self._at_most)
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
