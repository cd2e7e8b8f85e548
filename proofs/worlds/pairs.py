"""Pairs of worlds: played, compared, and of a difference, what it came from.

    python -m blindrelay.proofs.worlds.pairs --first N --count N [--saboteur NAME]

prints a line of JSON for each pair. A process of its own: a saboteur is in here, and so is everything that it sabotages.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blindrelay.proofs.evidence import keylog
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.worlds import seen, template
from blindrelay.proofs.worlds.chance import same
from blindrelay.proofs.worlds.economy import economise
from blindrelay.proofs.worlds.play import World
from blindrelay.proofs.worlds.script import Script, draw
from blindrelay.proofs.worlds.seen import Seen
from blindrelay.proofs.worlds.template import Place
from blindrelay.proofs.worlds.timers import Timers

#: Of each kind of thing that differs.
_SHOWN: Final = 2
_LONG: Final = 90


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same in both worlds."""

    what: str
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.what}: {self.one} in one world, {self.other} in the other"


class Pairs:
    """Plays pairs. Raises what a world raises that cannot be played."""

    def __init__(self, folder: Path, original: Place) -> None:
        self._folder = folder
        self._template = original
        self._number = 0
        self.compared = 0

    async def differences(self, script: Script) -> list[Difference]:
        """Play both worlds of a script, and compare all that can be seen of them. `compared` says how much that was."""
        one, other = [await self._play(script, which) for which in (0, 1)]
        if script.swaps:
            other = seen.renamed(other, seen.account_numbers(other))
            one = seen.in_order(one)
        self.compared = sum(len(value) if isinstance(value, list | dict) else 1 for value in one.values())
        return list(_compare(one, other))

    async def cause(self, script: Script) -> str:
        """Which way of differing it takes: the first that makes a difference by itself."""
        for way in sorted(script.ways):
            if await self.differences(draw(script.seed, frozenset({way}))):
                return way.value
        return "several ways together"

    async def _play(self, script: Script, which: int) -> Seen:
        self._number += 1
        folder = self._folder / str(self._number)
        wire = self._folder / f"{self._number}-wire"
        wire.mkdir()
        place = await asyncio.to_thread(template.copy, self._template, folder)
        world = World(place, wire)
        with same(script.seed), Timers() as timers:
            await world.play(script, which)
        found = await asyncio.to_thread(seen.look, world, wire, self._folder / "keylog")
        found["pauses that were asked for"] = timers.asked
        await asyncio.to_thread(_remove, folder, wire)
        (self._folder / "keylog").write_bytes(b"")  # else it is read again for every world after this one
        return found


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder)


def _compare(one: Seen, other: Seen) -> Iterator[Difference]:
    for what in sorted(one.keys() | other.keys()):
        first, second = one.get(what), other.get(what)
        if what == seen.SIZES and first and second:
            # A packet that is there in one world alone is no difference: see `seen`.
            both = first.keys() & second.keys()
            first, second = ({kind: sizes[kind] for kind in both} for sizes in (first, second))
        if first != second:
            yield _difference(what, first, second)


def _difference(what: str, first: Any, second: Any) -> Difference:
    if isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            return Difference(what, f"{len(first)} of them", f"{len(second)} of them")
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            if one != other:
                return _difference(f"{what}, {number}", one, other)
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys(), key=str):
            if first.get(key) != second.get(key):
                return _difference(f"{what}, {key}", first.get(key), second.get(key))
    return Difference(what, *_around(repr(first), repr(second)))


def _some(found: list[Difference]) -> Iterator[Difference]:
    """Of each kind the first ones: a difference in a table shows in packages, digests and logs, too."""
    seen: dict[str, int] = {}
    for each in found:
        kind = each.what.partition(",")[0]
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= _SHOWN:
            yield each


def _around(one: str, other: str) -> tuple[str, str]:
    """The places at which two texts begin to differ."""
    start = max(0, next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0) - 20)
    return one[start : start + _LONG], other[start : start + _LONG]


async def run(first: int, count: int, say: Callable[[dict[str, Any]], None]) -> None:
    """Play `count` pairs, from the seed `first` on."""
    economise()
    with tempfile.TemporaryDirectory(prefix="blindrelay-worlds-") as name:
        folder = Path(name)
        keylog.keep(folder / "keylog")
        (folder / "template").mkdir()
        pairs = Pairs(folder, await template.make(folder / "template"))
        say({"ready": True})
        for seed in range(first, first + count):
            script = draw(seed)
            found = await pairs.differences(script)
            compared = pairs.compared
            cause = await pairs.cause(script) if found else None
            say(
                {
                    "seed": seed,
                    "ways": sorted(way.value for way in script.ways),
                    "actions": len(script.actions),
                    "compared": compared,
                    "differences": [str(each) for each in _some(found)],
                    "cause": cause,
                }
            )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Play pairs of worlds.")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--saboteur", default="")
    arguments = parser.parse_args()
    leave_with_the_parent()
    if arguments.saboteur:
        from blindrelay.proofs.saboteurs.catalogue import find  # noqa: PLC0415 - honest runs import no saboteur

        saboteur = find(arguments.saboteur)
        saboteur.in_relay()
        saboteur.in_clients()

    def say(record: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()

    asyncio.run(run(arguments.first, arguments.count, say))


if __name__ == "__main__":
    main()
