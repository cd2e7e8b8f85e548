"""A real-time order goes on after its end.

Modelled on taps that nobody switched off: Vodafone Greece (Prevelakis and Spinellis: The Athens Affair, 2007).
"""

import dataclasses
from datetime import timedelta
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.stream import RealTimeOrders

    begin = RealTimeOrders.begin

    async def for_longer(self: RealTimeOrders, order: Any) -> None:
        span = order.span.model_copy(update={"end": order.span.end + timedelta(days=30)})
        await begin(self, dataclasses.replace(order, span=span))

    RealTimeOrders.begin = for_longer


SABOTEUR = Saboteur(
    name="stream-outlives-its-order",
    title="a real-time order delivers what happens after its end",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="taps that go on (The Athens Affair, 2007)",
    caught_by=frozenset({("reconciliation", "outlived")}),
    in_relay=_in_relay,
)
