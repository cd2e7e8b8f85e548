"""`account.my_data`: everything that the ledger holds about the user who asks, and nothing about anybody else.

The other end of a user's messages is named in them: it is the user's own correspondence. An answer is one packet, so the
newest records come first and what does not fit is counted.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Final

from pydantic import JsonValue

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import Empty, ErrorCode, MyData
from blindrelay.protocol.sizes import MAX_ENVELOPE
from blindrelay.relay.accounts import Accounts
from blindrelay.relay.errors import RequestRefused
from blindrelay.relay.identity import DeviceIdentity, Identity
from blindrelay.relay.ledger import Ledger, Window

Row = dict[str, JsonValue]

# Every client takes a packet that an envelope of the largest size fits in; a quarter is left for what JSON adds around.
_MAX_BYTES: Final = MAX_ENVELOPE * 3 // 4


class MyDataDesk:
    """Answers one question at a time: a look at the traffic of a large relay takes a second of a reader's time."""

    def __init__(self, accounts: Accounts, ledger: Ledger, clock: Clock) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def my_data(self, identity: Identity, _: Empty) -> MyData:
        """The records of the asking device's user, all of the user's devices together."""
        if not isinstance(identity, DeviceIdentity):
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "only a device may do this")
        own = self._accounts.all_of(identity.address.owner)
        everything = Window(0, int(self._clock.now()) + 86_400)
        async with self._one_at_a_time:
            subscribers = await self._ledger.subscribers(own)
            access = await self._ledger.access(own, everything)
            traffic = await self._ledger.traffic(own, everything)
        found: dict[str, list[Row]] = {
            "SubscriberRecord": [
                {
                    "device": str(row.device),
                    "registered_day": row.registered_day,
                    "last_seen_day": row.last_seen_day,
                }
                for row in subscribers
            ],
            "AccessRecord": [
                {
                    "device": self._name(row.account_id),
                    "opened_hour": row.opened_hour,
                    "closed_hour": row.closed_hour,
                    "address": row.address,
                    "client_version": row.client_version,
                }
                for row in reversed(access)
            ],
            "TrafficRecord": [
                {
                    "message_id": row.message_id.hex(),
                    "sender": self._name(row.sender_id),
                    "recipient": self._name(row.recipient_id),
                    "accepted_at": row.accepted_at,
                    "size": row.size,
                }
                for row in reversed(traffic)
            ],
        }
        return MyData(records=_fitting(found))

    def _name(self, account_id: int | None) -> str | None:
        address = None if account_id is None else self._accounts.address_of(account_id)
        return None if address is None else str(address)


def _fitting(found: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """As many rows as one packet takes, a fair share of each kind, and how many were left out."""
    left = _MAX_BYTES
    fitting: dict[str, list[Row]] = {}
    for position, (kind, rows) in enumerate(found.items()):
        fitting[kind] = _first(rows, left // (len(found) - position))
        left -= sum(map(_size, fitting[kind]))
    left_out: list[Row] = [
        {"record": kind, "rows": len(rows) - len(fitting[kind])}
        for kind, rows in found.items()
        if len(rows) > len(fitting[kind])
    ]
    return {**fitting, "left_out": left_out} if left_out else fitting


def _first(rows: Iterable[Row], budget: int) -> list[Row]:
    chosen: list[Row] = []
    for row in rows:
        budget -= _size(row)
        if budget < 0:
            break
        chosen.append(row)
    return chosen


def _size(row: Row) -> int:
    return len(json.dumps(row)) + 1
