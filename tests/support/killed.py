"""Killing a desk between any two of its effects, and what it must be like afterwards.

A boundary is a moment before or after a row is committed, or before or after something is done outside. `Guillotine` counts
them, and falls at one of them: in this process by an exception that nothing of the desk's catches, or as `kill -9`.

    python -m support.killed FOLDER BOUNDARY          does the story in FOLDER and kills itself at the boundary
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.errors import AlreadyFetched, NotAllowed, NothingToFetch

from .clerks import DAY, Office, Outside, Script, still_clock

REQUEST = UUID("11111111-2222-4333-8444-555555555555")


class Killed(BaseException):
    """Nothing catches this, as nothing catches SIGKILL."""


def die() -> None:
    """End this process here."""
    os.kill(os.getpid(), signal.SIGKILL)


def fall() -> None:
    """End this desk here."""
    raise Killed


@dataclass
class Guillotine:
    """Falls at the boundary with the number `at`; None: never."""

    at: int | None = None
    end: Callable[[], None] = fall
    passed: int = 0

    def boundary(self) -> None:
        self.passed += 1
        if self.passed - 1 == self.at:
            self.end()

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, with a boundary before and after it."""
        if asyncio.iscoroutinefunction(call):

            async def later(*given: object) -> object:
                self.boundary()
                done = await call(*given)
                self.boundary()
                return done

            return later

        def now(*given: object) -> object:
            self.boundary()
            done = call(*given)
            self.boundary()
            return done

        return now


def under(office: Office, guillotine: Guillotine) -> Desk:
    """A desk whose every step passes the guillotine."""
    desk = office.desk()
    desk.journal.append = guillotine.around(desk.journal.append)  # type: ignore[method-assign]
    ports = desk._ports
    for port in (getattr(ports, each.name) for each in fields(ports)):
        for name in ("write", "hold", "let_go", "begin", "end", "apply", "give"):
            if hasattr(port, name):
                setattr(port, name, guillotine.around(getattr(port, name)))
    return desk


@dataclass
class Story:
    """What happens to one case, in steps. Whoever was not answered does the step again."""

    office: Office
    fetched: list[str] = field(default_factory=list)
    _call: int = 0

    def steps(self) -> list[Callable[[Desk], Awaitable[None]]]:
        return [
            self.ask,
            *(self.approving(person, demand) for demand in ("d1", "d3", "d4") for person in ("ada", "bea")),
            self.fetch,
            self.waiting(6 * DAY),
            self.waiting(90 * DAY),
            self.waiting(40 * DAY),
        ]

    async def ask(self, desk: Desk) -> None:
        office = self.office
        service = {"kind": "service", "id": "d4", "action": "suspend", "jurisdiction": "pk", "effective": office.now}
        request = office.request(
            office.demand("d1"),
            office.demand("d2", "preserve"),
            office.demand("d3", "stream"),
            service,
            request_id=REQUEST,
        )
        await desk.receive(office.signed(request))

    def case(self, desk: Desk) -> str:
        (summary,) = desk.list_cases(all_cases=True)
        return summary.case_id

    def approving(self, person: str, demand: str) -> Callable[[Desk], Awaitable[None]]:
        async def approve(desk: Desk) -> None:
            case = self.case(desk)
            if not any((a.operator, a.demand_id) == (person, demand) for a in desk.show(case).approvals):
                await desk.approve(person, case, demand)

        return approve

    async def fetch(self, desk: Desk) -> None:
        # A call is signed once: who got nothing signs another.
        self._call += 1
        path = await desk.fetch("us-court", self.case(desk), "d1", f"call-{self._call}")
        self.fetched.append(path.read_text())

    def waiting(self, time: timedelta) -> Callable[[Desk], Awaitable[None]]:
        until = None

        async def wait(desk: Desk) -> None:
            nonlocal until
            until = until or self.office.clock.wall + time.total_seconds()
            self.office.clock.advance(until - self.office.clock.wall)
            await desk.tick()

        return wait


async def tell(story: Story, guillotine: Guillotine) -> None:
    """Do the whole story; open another desk after the guillotine has fallen."""
    desk = under(story.office, guillotine)
    steps, number, started = story.steps(), 0, False
    try:
        while number < len(steps):
            try:
                if not started:
                    await desk.start()
                    started = True
                await steps[number](desk)
                number += 1
            except Killed:
                await desk.disclosures.close()
                desk.journal.close()
                desk, started = story.office.desk(), False
    finally:
        await desk.close()


def what_came_of_it(office: Office) -> dict[str, object]:
    """The end of the story, as everybody sees it."""
    desk, outside = office.desk(), office.outside
    (summary,) = desk.list_cases(all_cases=True)
    detail = desk.show(summary.case_id)
    desk.journal.close()
    return {
        "state": detail.view.state,
        "demands": [(demand.demand_id, demand.outcome, demand.status) for demand in detail.view.demands],
        "approvals": [(approval.demand_id, approval.operator) for approval in detail.approvals],
        "released": sum(row.step == "released" for row in detail.history),
        "packaged": sum(row.step == "packaged" for row in detail.history),
        "decided": sum(row.step == "decided" for row in detail.history),
        "ended": sorted(row.text for row in detail.history if row.step == "ended"),
        "outside": [
            sorted(key.partition("/")[2] for key in kept)
            for kept in (outside.packages, outside.preserved, outside.streams, outside.services, outside.notices)
        ],
        "left": sorted(path.name for path in (office.folder / "packages").rglob("*.package")),
    }


def _main(folder: Path, boundary: int) -> None:
    office = Office(folder, still_clock(), Script(), Outside())
    office.found()
    asyncio.run(tell(Story(office), Guillotine(boundary, die)))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))


__all__ = ["AlreadyFetched", "Guillotine", "Killed", "NotAllowed", "NothingToFetch", "Story", "tell", "what_came_of_it"]
