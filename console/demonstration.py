"""Everything that a demonstration has beyond a console: people, authorities, and orders in force, around a relay of its own."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from blindrelay.console.bench import PERSONS, Bench
from blindrelay.console.cast.lines import Direction
from blindrelay.console.cast.people import DEVICES
from blindrelay.console.cast.script import BOB
from blindrelay.console.cast_line import CastLine
from blindrelay.console.orders import Orders
from blindrelay.console.petitions import Petitions
from blindrelay.policies.packs import Policies

if TYPE_CHECKING:
    from blindrelay.console.desktop import Desktop


class Demonstration:
    """See the module. `at_work` runs it; the relay, with a desk, is running by then.

    Args:
        folder: for the authorities' keys. It goes away with the demonstration.
        desktop: of the console that shows it; its relay is there for nothing else.
        cast_options: for the process of the people.

    Attributes:
        cast: the line to the people.
        bench: the authorities, and who works at the desk.
        policies: what the relay decides by.
        petitions: what the authorities do besides.
        people: who works at the desk.
        targets: about whom one may ask.
        in_force: set when the orders are, and people talk.
    """

    people = PERSONS
    targets = (*DEVICES, "acme.example", "globex.example", "nobody@globex.example", "*")

    def __init__(self, folder: Path, desktop: "Desktop", cast_options: Sequence[str] = ()) -> None:
        self.policies = Policies.load()
        self.cast = CastLine(desktop.relay, desktop.channels.clients, ["--paused", *cast_options])
        self.bench = Bench(folder, desktop.relay, self.policies, desktop.clock)
        titles = {
            instrument.id: instrument.title
            for pack in self.policies.packs.values()
            for instrument in pack.manifest.instruments
        }
        self._orders = Orders(self.bench, desktop.channels.authority, desktop.clock, target=BOB, titles=titles)
        self.petitions = Petitions(self.bench, self.policies, desktop.channels.authority, desktop.clock)
        self._tail = desktop.tail
        self.in_force = asyncio.Event()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """People talk and the court listens, for as long as this is entered."""
        await asyncio.to_thread(self.bench.open)
        async with self.cast.at_work():
            giving = asyncio.create_task(self._give_orders())
            try:
                yield
            finally:
                giving.cancel()
                await asyncio.gather(giving, self.petitions.close(), return_exceptions=True)

    async def _give_orders(self) -> None:
        """When there is somebody to give them about; people begin to talk when they are in force."""
        await self.cast.begun.wait()
        await self._orders.work(self._begin)

    async def _begin(self) -> None:
        """What was before, how people met, is not shown."""
        with contextlib.suppress(sqlite3.Error):
            await self._tail.forget()
        await self.cast.direct(Direction(paused=False))
        self.in_force.set()
