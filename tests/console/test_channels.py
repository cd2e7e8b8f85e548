"""Channels: whole states, bounded, each listener at its own speed."""

import json
from collections.abc import AsyncIterator
from typing import Any

from blindrelay.console.channels import Channel


async def _next(frames: AsyncIterator[str]) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await anext(frames))
    return frame


def _keys(frame: dict[str, Any]) -> list[str]:
    return [item["key"] for item in frame["items"]]


async def test_who_comes_gets_everything_and_then_what_changes() -> None:
    """A page that comes back after a while is as complete as one that never left."""
    channel = Channel()
    channel.put("a", {"n": 1})
    frames = channel.frames()
    assert await _next(frames) == {"whole": True, "dropped": 0, "items": [{"key": "a", "n": 1}]}
    channel.put("b", {"n": 2})
    assert await _next(frames) == {"whole": False, "dropped": 0, "items": [{"key": "b", "n": 2}]}


async def test_states_in_between_are_passed_over() -> None:
    """However often a thing changes, the next frame has it once, as it is now."""
    channel = Channel()
    frames = channel.frames()
    await _next(frames)
    for number in range(1_000):
        channel.put("a", {"n": number})
    assert (await _next(frames))["items"] == [{"key": "a", "n": 999}]


async def test_slow_listener_loses_the_oldest_and_is_told() -> None:
    """Nothing piles up for a browser that does not read."""
    channel = Channel(kept=3)
    frames = channel.frames()
    await _next(frames)
    for number in range(10):
        channel.put(str(number), {})
    frame = await _next(frames)
    assert (_keys(frame), frame["dropped"]) == (["7", "8", "9"], 7)


async def test_what_lasts_is_kept() -> None:
    """An order is in force however many records come after it: for who comes now, and for a browser that does not read."""
    channel = Channel(kept=2)
    frames = channel.frames()
    await _next(frames)
    channel.put("order", {}, lasting=True)
    for number in range(5):
        channel.put(f"record-{number}", {})
    expected = ["order", "record-3", "record-4"]
    assert _keys(await _next(channel.frames())) == expected
    assert _keys(await _next(frames)) == expected


async def test_what_has_lasted_can_be_over() -> None:
    """Whoever has not read yet that it was so reads that it is over, and nothing else."""
    channel = Channel()
    frames = channel.frames()
    await _next(frames)
    channel.put("trouble", {}, lasting=True)
    channel.remove("trouble")
    assert (await _next(frames))["items"] == [{"key": "trouble", "gone": True}]
    assert (await _next(channel.frames()))["items"] == []


async def test_what_changes_is_younger() -> None:
    """A state that is said again and again is not pushed out by those that come once."""
    channel = Channel(kept=2)
    for number in range(5):
        channel.put("again", {"n": number})
        channel.put(f"once-{number}", {})
    assert _keys(await _next(channel.frames())) == ["again", "once-4"]


async def test_what_is_gone_is_said_once() -> None:
    """To those who listen; those who come later never hear of it."""
    channel = Channel()
    channel.put("a", {})
    frames = channel.frames()
    await _next(frames)
    channel.remove("a")
    assert (await _next(frames))["items"] == [{"key": "a", "gone": True}]
    assert (await _next(channel.frames()))["items"] == []
    assert channel.get("a") is None


async def test_closing_ends_the_streams() -> None:
    """So that a server with open streams can stop; and who has left is forgotten."""
    channel = Channel()
    frames = [channel.frames() for _ in range(3)]
    for each in frames:
        await _next(each)
    assert channel.listeners == 3
    channel.close()
    assert [[frame async for frame in each] for each in frames] == [[], [], []]
    assert channel.listeners == 0
