"""What the demonstration's people do when something takes longer than it should."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from blindrelay.clients.errors import TimedOut
from blindrelay.clients.receipts import Receipt
from blindrelay.console.cast.lines import Company, Trouble
from blindrelay.console.cast.stage import Stage


@dataclass
class _Slow:
    """People whose first letter does not go out in time, on any device."""

    enrolled: dict[str, dict[str, str]] = field(default_factory=dict)
    letters: int = 0

    def first(self, address: str) -> Any:
        """Whoever it is."""
        del address
        return self

    @property
    def device(self) -> "_Slow":
        """Whichever it is."""
        return self

    async def send(self, to: str, text: str) -> Receipt:
        """A letter that is read at once, but for the first."""
        del to, text
        self.letters += 1
        if self.letters == 1:
            raise TimedOut("the relay did not answer within 10 s")
        return Receipt(b"", {})


async def test_who_is_slow_to_meet_is_waited_for() -> None:
    """On a machine with much else to do, a demonstration begins later; it is said why, and then that it goes on."""
    told: list[Any] = []
    begun = asyncio.Event()

    def tell(event: Any) -> None:
        told.append(event)
        if isinstance(event, Company):
            begun.set()

    stage = Stage(tell, beat=0.0, paused=True)
    stage.people = _Slow()  # type: ignore[assignment]  # as much of people as one needs to meet them
    performing = asyncio.create_task(stage.perform())
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait({performing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (performing, waiting):
        task.cancel()
    await asyncio.gather(performing, waiting, return_exceptions=True)

    assert begun.is_set()
    assert [event.reason for event in told if isinstance(event, Trouble)] == [
        "the relay did not answer within 10 s",
        "",
    ]
