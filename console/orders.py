"""The orders that are in force in the demonstration's live view, and what they yield: what the court gets, as it gets it.

One order is for real-time traffic data of one person, and is granted; another one asks for the words, and is answered as such
an order is answered. Both go through the desk like any other. What comes goes into the channel `authority`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from blindrelay.clients.errors import ClientError
from blindrelay.console.bench import Bench
from blindrelay.console.channels import Channel
from blindrelay.console.errors import ConsoleError
from blindrelay.policies.exchange import CaseAnswer
from blindrelay.policies.records import TrafficRecord
from blindrelay.policies.request import (
    Approval,
    Authorisation,
    DataDemand,
    DeliveryType,
    LawfulRequest,
    Target,
    TargetFormat,
    Timespan,
)
from blindrelay.policies.stream import StreamEnd
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, Mode, Purpose, Scope, Urgency
from blindrelay.protocol.clock import Clock

COURT: Final = "us-judge"
TRACE: Final = "us/pen-trap"
WIRETAP: Final = "us/wiretap-order"
_VALID: Final = timedelta(days=30)
# A real-time order has no past: one that wants what was before it came is granted in part.
_SOON: Final = timedelta(seconds=2)
# Between two attempts to reach the desk. Seconds.
_PAUSE: Final = 2.0


class Orders:
    """See the module.

    Args:
        target: whom the orders are about, `user@tenant`.
        titles: what instruments are called.
    """

    def __init__(self, bench: Bench, authority: Channel, clock: Clock, *, target: str, titles: dict[str, str]) -> None:
        self._bench = bench
        self._authority = authority
        self._clock = clock
        self._target = target
        self._titles = titles

    async def work(self, in_force: Callable[[], Awaitable[None]]) -> None:
        """Ask, and take what comes, until the order ends. While the desk cannot be reached it is tried again.

        Args:
            in_force: called when everything that is written is under the order.
        """
        while True:
            try:
                await self._ask(WIRETAP, "words", DataClass.CONTENT, DeliveryType.CC_ONLY)
                answer = await self._ask(TRACE, "records", DataClass.TRAFFIC, DeliveryType.IRI_ONLY)
                break
            except (ClientError, ConsoleError) as error:
                self._authority.put("trouble", {"kind": "trouble", "reason": str(error)[:300]}, lasting=True)
                await asyncio.sleep(_PAUSE)
        self._authority.remove("trouble")
        stream = answer.demands[0].stream
        if stream is not None:
            await asyncio.sleep(max(0.0, stream.start.timestamp() - self._clock.now()))
        await in_force()
        await self._follow(answer)

    async def _ask(self, instrument: str, key: str, data_class: DataClass, delivery: DeliveryType) -> CaseAnswer:
        async with self._bench.client(COURT) as client:
            answer = await client.request(self._request(client.relay.id, instrument, data_class, delivery))
            demand = answer.demands[0]
            if demand.outcome.discloses:
                await self._bench.approve(answer.case_id, demand.demand_id)
                answer = await client.status(answer.case_id)
        self._tell(key, instrument, answer)
        return answer

    def _request(self, relay: str, instrument: str, data_class: DataClass, delivery: DeliveryType) -> LawfulRequest:
        now = datetime.fromtimestamp(int(self._clock.now()), UTC)
        valid, window = (Timespan(start=now + wait, end=now + _VALID) for wait in (timedelta(), _SOON))
        reference = f"26-{instrument.partition('/')[2]}-1"
        judge = Approval(role=AuthorityKind.JUDGE, name="Hon. J. Doe", reference=reference, timestamp=now)
        return LawfulRequest(
            id=uuid4(),
            sender=COURT,
            officer=self._bench.identity(COURT).officer,
            receiver=relay,
            timestamp=now,
            authorisation=Authorisation(
                reference=reference,
                instrument=instrument,
                jurisdiction="us",
                timespan=valid,
                approvals=[judge],
                urgency=Urgency.ROUTINE,
                non_disclosure=None,
                purpose=Purpose.INVESTIGATE,
                offence_max_years=10,
            ),
            demands=(
                DataDemand(
                    id="d1",
                    classes=frozenset({data_class}),
                    mode=Mode.STREAM,
                    scope=Scope.ACCOUNTS,
                    targets=(Target(format=TargetFormat.USER, value=self._target),),
                    window=window,
                    delivery_type=delivery,
                ),
            ),
        )

    def _tell(self, key: str, instrument: str, answer: CaseAnswer) -> None:
        demand = answer.demands[0]
        reasons = [reason for item in demand.classes for reason in item.reasons] or list(demand.reasons)
        laws = [item.law for item in demand.classes if item.law]
        self._authority.put(
            key,
            {
                "kind": "order",
                "which": key,
                "authority": self._bench.seats[COURT].title,
                "instrument": self._titles[instrument],
                "target": self._target,
                "outcome": demand.outcome.value,
                "ground": None if demand.ground is None else demand.ground.value,
                "reasons": [{"text": reason.text, "source": reason.source} for reason in reasons],
                "law": laws[0] if laws else demand.law,
                "until": None if demand.stream is None else int(demand.stream.end.timestamp()),
                "case": str(answer.case_id),
                "letter": answer.letter,
            },
            lasting=True,
        )

    async def _follow(self, answer: CaseAnswer) -> None:
        """Take what comes until the order ends."""
        demand = answer.demands[0]
        if not demand.outcome.discloses:
            return
        async with contextlib.aclosing(self._bench.follow(COURT, answer.case_id, demand.demand_id)) as events:
            async for event in events:
                match event.record:
                    case TrafficRecord() as record:
                        self._authority.put(record.message_id, _yielded(record))
                    case StreamEnd() as end:
                        self._authority.put("ended", {"kind": "ended", "reason": end.reason.value}, lasting=True)


def _yielded(record: TrafficRecord) -> dict[str, Any]:
    return {
        "kind": "yielded",
        "sender": record.sender_id,
        "recipient": record.recipient_id,
        "at": int(record.accepted.timestamp()),
        "size": record.size,
    }
