"""In the process of the relay under test: real-time orders with a reader each, as over HTTP but for the network.

Each event is encoded as it would be sent. What came of it is written to a file at the end.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.request import Authorisation, Target, TargetFormat, Timespan
from blindrelay.policies.stream import StreamEvent
from blindrelay.policies.vocabulary import DataClass, Outcome, Purpose, TaskStatus, Urgency
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.desk.http.events import encoded
from blindrelay.relay.desk.ports import StreamOrder
from blindrelay.relay.desk.stream import RealTimeOrders
from blindrelay.relay.server import Relay

# After the last message: as long as something comes within this time, there is more to come, and it is waited for as often.
# Seconds. A process that is asked to stop has 15.
_QUIET = 3.0
_TIMES = 4


class Readers:
    """All readers together: how many records they got, how many bytes that is, and how late the records were at most."""

    def __init__(self) -> None:
        self.records = 0
        self.size = 0
        self.latest = 0.0

    async def read(self, events: AsyncIterator[StreamEvent]) -> None:
        """Until cancelled."""
        now = SystemClock().now
        async for event in events:
            self.size += len(encoded(event))
            if event.record.record == "traffic":
                self.records += 1
                # Acceptance is kept to the second: half a second of what we see is that.
                self.latest = max(self.latest, now() - event.record.accepted.timestamp())

    async def settle(self) -> None:
        """Wait until nothing comes any more, or for twelve seconds."""
        for _ in range(_TIMES):
            before = self.records
            await asyncio.sleep(_QUIET)
            if before == self.records:
                return


@asynccontextmanager
async def watching(relay: Relay, users: list[str], report: Path) -> AsyncIterator[Readers]:
    """Watch each of `users` by an order of its own; write what came of it to `report` at the end."""
    settings = relay.settings
    clock = SystemClock()
    orders = RealTimeOrders(
        relay.store.metadata_reader,
        exchange=relay.exchange,
        ledger=relay.exchange.services.ledger,  # type: ignore[arg-type]  # it is the relay's own
        now=clock.now,
        traffic_days=settings.retention.traffic_days,
    )
    readers = Readers()
    await orders.start()
    tasks = []
    for number, user in enumerate(users):
        await orders.begin(_order(number, user))
        tasks.append(asyncio.create_task(readers.read(orders.follow(f"benchmark/d{number}"))))
    try:
        yield readers
    finally:
        await readers.settle()
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await orders.stop()
        came = {"records": readers.records, "bytes": readers.size, "latest": readers.latest}
        await asyncio.to_thread(report.write_text, json.dumps(came))


def _order(number: int, user: str) -> StreamOrder:
    now = datetime.now(UTC)
    span = Timespan(start=now - timedelta(seconds=1), end=now + timedelta(days=1))
    return StreamOrder(
        "benchmark",
        f"d{number}",
        DemandDecision(f"d{number}", Outcome.GRANTED, None, TaskStatus.ACTIVE, (), (), stream=span),
        Authorisation(
            reference="benchmark",
            instrument="us/pen-register",
            jurisdiction="us",
            timespan=span,
            approvals=[],
            urgency=Urgency.ROUTINE,
            non_disclosure=None,
            purpose=Purpose.INVESTIGATE,
            offence_max_years=None,
        ),
        "benchmark",
        "Benchmark",
        classes=frozenset({DataClass.TRAFFIC, DataClass.ACCESS}),
        targets=(Target(format=TargetFormat.USER, value=user),),
        span=span,
    )
