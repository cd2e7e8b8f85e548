"""Requests to the relay itself: PUBLISH to `v1/rpc/<method>`, answered on the client's own reply topic."""

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

import mqtt5
from mqtt5 import DisconnectReasonCode, PubAckReasonCode

from blindrelay.protocol.rpc import MAX_REQUEST, Answer, ErrorCode, Refused
from blindrelay.relay.mqtt.states import State
from blindrelay.relay.peer import Peer

if TYPE_CHECKING:
    from blindrelay.relay.exchange import Exchange

# Requests of one connection that are carried out at once, and that wait behind them: 1 MiB at most.
CALLS_AT_ONCE: Final = 4
CALLS_WAITING: Final = 16

_UNAVAILABLE: Final = (
    Answer(error=Refused(code=ErrorCode.UNAVAILABLE, message="the relay could not carry this out: try again later"))
    .model_dump_json()
    .encode()
)


class Calls:
    """The part of the exchange that carries requests to `services.rpc` and answers back.

    PUBACK says that a request will be carried out, not that it has been: it is not durable, and is repeated by whoever gets
    no answer.
    """

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._tasks: set[asyncio.Future[bytes]] = set()

    def call(self, peer: Peer, packet: mqtt5.PublishPacket, method: str) -> None:
        """Take a request, or refuse it in its PUBACK."""
        refusal = self._refusal(peer, packet)
        if refusal is not None:
            self._exchange.refuse(peer, packet.packet_id, *refusal)
            return
        peer.session.answer(packet.packet_id or 0)
        if peer.calls is None:
            peer.calls = deque()
        peer.calls.append((method, packet.payload, packet.response_topic or "", packet.correlation_data))
        self.go_on(peer)

    def _refusal(self, peer: Peer, packet: mqtt5.PublishPacket) -> tuple[PubAckReasonCode, str] | None:
        if not self._exchange.services.access.may_answer_to(peer.client_id, packet.response_topic):  # class S6
            return (
                PubAckReasonCode.NOT_AUTHORIZED,
                "answers go to your own reply topic alone: give it as response topic",
            )
        if packet.response_topic not in peer.subscriptions:  # [3.3.2-3]
            return PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "subscribe to your reply topic first"
        if len(packet.payload) > MAX_REQUEST:
            return PubAckReasonCode.PAYLOAD_FORMAT_INVALID, f"a request has {MAX_REQUEST} bytes at most"
        if packet.user_properties:  # decision D6
            return PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "a request has no user properties"
        if peer.calls is not None and len(peer.calls) >= CALLS_WAITING:
            return PubAckReasonCode.QUOTA_EXCEEDED, "too many requests at once"
        return None

    def go_on(self, peer: Peer) -> None:
        """Start what waits, as far as it may run now."""
        while peer.calls and peer.calling < CALLS_AT_ONCE and peer.writable and peer.session.state is State.CONNECTED:
            method, payload, topic, correlation = peer.calls.popleft()
            peer.calling += 1
            task = asyncio.ensure_future(self._exchange.services.rpc(peer.identity, method, payload))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, peer, topic, correlation))

    def _done(self, peer: Peer, topic: str, correlation: bytes | None, task: "asyncio.Future[bytes]") -> None:
        self._tasks.discard(task)
        peer.calling -= 1
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:  # a bug of ours: the client hears that it has no answer, the operator hears the rest
            context = {"message": "a request failed", "exception": error, "future": task}
            task.get_loop().call_exception_handler(context)
        if topic in peer.subscriptions:
            peer.session.reply(topic, _UNAVAILABLE if error is not None else task.result(), correlation)
        stands = self._exchange.services.accounts.stands
        if not peer.has_left and not stands(peer.identity):
            # Whoever was let stay for this answer: the administrator of a tenant that has left.
            self._exchange.disconnect(lambda identity: not stands(identity), DisconnectReasonCode.NOT_AUTHORIZED)
            return
        self.go_on(peer)
        peer.flush()

    def cancel(self) -> None:
        """Give up what is being carried out."""
        for task in self._tasks:
            task.cancel()
