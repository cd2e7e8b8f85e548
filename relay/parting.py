"""How the relay lets its clients go when it stops: nothing that was taken is lost, and nobody can make it stay.

1. Nobody is read any more, so that what waits for the store becomes less.
2. The commits under way are finished, and their PUBACKs are sent.
3. Everybody is told to connect again, elsewhere if there is an elsewhere.
4. What is still being recorded, ends of connections above all, is waited for.

What is not settled in time has no PUBACK: its sender sends it again, and the ring of recent ids knows it should it have been
stored after all.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Final

from mqtt5 import ConnAckReasonCode, DisconnectReasonCode

from blindrelay.relay.errors import StoreError
from blindrelay.relay.mqtt.states import State
from blindrelay.relay.peer import Hold, Peer

if TYPE_CHECKING:
    from blindrelay.relay.exchange import Exchange

_REASON: Final = "the relay is stopping: connect again"


async def part(exchange: "Exchange", patience: float, elsewhere: Sequence[str]) -> None:
    """Let everybody go, within `patience` seconds. Call it before the committer is closed.

    `elsewhere`: where clients are to go on, each as MQTT 5, 4.11, writes it (host:port, several with a space between). They get
    0x9C (use another server) with one of them as the Server Reference, in turn; without any 0x8B (server shutting down).
    """
    until = asyncio.get_running_loop().time() + patience
    for peer in list(exchange.peers):
        peer.hold(Hold.LEAVING)
    with contextlib.suppress(StoreError, TimeoutError):  # a store that failed has nothing under way
        async with asyncio.timeout_at(until):
            await _settle(exchange)
    for peer, reference in zip(list(exchange.peers), cycle(elsewhere or [None]), strict=False):
        _dismiss(exchange, peer, reference)
    exchange.give_up_calls()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await exchange.at_rest()


async def _settle(exchange: "Exchange") -> None:
    """Each commit settles a batch; when there is no less than before it, nobody will ever settle the rest."""
    before, left = -1, exchange.undecided()
    while left not in {0, before}:
        await exchange.committer.run(lambda connection: None)
        before, left = left, exchange.undecided()


def _dismiss(exchange: "Exchange", peer: Peer, elsewhere: str | None) -> None:
    if peer.session.state is State.DECIDING:
        refusal = ConnAckReasonCode.USE_ANOTHER_SERVER if elsewhere else ConnAckReasonCode.SERVER_UNAVAILABLE
        peer.session.refuse(refusal, _REASON, elsewhere)
    else:
        code = DisconnectReasonCode.USE_ANOTHER_SERVER if elsewhere else DisconnectReasonCode.SERVER_SHUTTING_DOWN
        peer.session.disconnect(code, _REASON, elsewhere)
    exchange.leave(peer)
    peer.flush()
