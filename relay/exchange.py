"""What happens to what clients say: the one place where sessions, mailboxes and the store meet.

    PUBLISH -> limits -> access -> form -> ring (seen before?) -> quota -> committer       `intake.Intake.publish`
    commit  -> PUBACK to the sender, PUBLISH to the recipient, one write for each           `settlement.Settlement.settle`
    PUBACK  -> deleted in the next commit, the next one is sent                             `Exchange._acknowledged`

Nothing on this path waits: what has to wait for the store is an entry in the next commit, and `settle` goes on with it.
Connecting and subscribing are in `blindrelay.relay.reception`, requests in `blindrelay.relay.calls`, what a delivery reads
from the store in `blindrelay.relay.pages`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mqtt5
from mqtt5 import DisconnectReasonCode, PubAckReasonCode

from blindrelay.protocol import topics
from blindrelay.protocol.clock import Clock
from blindrelay.relay import ports
from blindrelay.relay.access import Access
from blindrelay.relay.calls import Calls
from blindrelay.relay.counts import Counts, kind_of
from blindrelay.relay.identity import Identity
from blindrelay.relay.intake import Intake
from blindrelay.relay.mailbox import Delivery, Mailbox, expired_envelopes
from blindrelay.relay.mqtt.session import Acknowledged, Event
from blindrelay.relay.mqtt.states import State
from blindrelay.relay.pages import Pages
from blindrelay.relay.parting import part
from blindrelay.relay.peer import Peer
from blindrelay.relay.ports import Accounts, Admission, Committer, Ledger, Limits, Neighbours, Rpc
from blindrelay.relay.reception import Reception
from blindrelay.relay.sessions import Sessions
from blindrelay.relay.settlement import Settlement
from blindrelay.relay.store.entries import Accepted, Outcome

# How many commits may pass before what was accepted at a moment is taken to be in one of them.
DRAIN_ROUNDS: Final = 64
# One round of the expiry sweep.
EXPIRY_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Services:
    """Whom the exchange asks."""

    admission: Admission
    access: Access
    accounts: Accounts
    limits: Limits
    ledger: Ledger
    rpc: Rpc
    clock: Clock


class Exchange:
    """The engine. One event loop, no locks: every method but the few `async` ones decides at once.

    `committer` is set after construction, because the committer is given `settle`; then call `start`.
    """

    def __init__(self, services: Services, counts: Counts | None = None) -> None:
        self.services = services
        self.held_bytes = 0
        self.counts = counts or Counts()
        #: Called after each commit with envelopes in it; None as long as no real-time order has a reader.
        self.on_commit: Callable[[], None] | None = None
        self.peers: set[Peer] = set()
        self.committer: Committer
        self.sessions: ports.Sessions
        #: The other nodes; None: there are none.
        self.neighbours: Neighbours | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        # The wall clock is asked once: a step of it while we run neither expires nor extends anything.
        self._epoch = services.clock.now() - services.clock.monotonic()
        self._monotonic = services.clock.monotonic
        self.sweeps = 0
        self._calls = Calls(self)
        self._reception = Reception(self)
        self._intake = Intake(self, self._calls)
        self._settlement = Settlement(self, self._intake)
        self._pages = Pages(self)
        self._carry_out: dict[type, Callable[[Peer, Any], None]] = {
            mqtt5.PublishPacket: self._intake.publish,
            Acknowledged: self._acknowledged,
            mqtt5.ConnectPacket: self._reception.connect,
            mqtt5.SubscribePacket: self._reception.subscribe,
            mqtt5.UnsubscribePacket: self._reception.unsubscribe,
        }

    async def start(self, committer: Committer, sessions: ports.Sessions | None = None) -> None:
        """Read what outlived the last stop. The mailboxes are restored by whoever keeps the accounts."""
        self.committer = committer
        self.sessions = Sessions(committer, self.now) if sessions is None else sessions
        await self.sessions.load()

    def now(self) -> int:
        """Epoch seconds, unmoved by steps of the wall clock."""
        return int(self._epoch + self._monotonic())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that has to wait. Never once a message."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What a connection says.

    def carry_out(self, peer: Peer, events: list[Event]) -> None:
        """Do what a session's events ask for. The caller flushes the peer afterwards."""
        carry_out = self._carry_out
        for event in events:
            if peer.has_left:  # thrown out by one of the events before
                break
            carry_out[type(event)](peer, event)
        if peer.session.state is State.CLOSED:
            self.leave(peer)

    def leave(self, peer: Peer) -> None:
        """The connection is over, or as good as. May be called more than once."""
        self._reception.leave(peer)

    def writable(self, peer: Peer) -> None:
        """The network takes our data again."""
        if peer.delivery is not None:
            peer.delivery.pump()
        self._calls.go_on(peer)

    def _acknowledged(self, peer: Peer, event: Acknowledged) -> None:
        delivery = peer.delivery
        if delivery is not None:
            self.counts.delivered += len(event.sequences)
            delivery.acknowledged(event.sequences)
            delivery.pump()

    def refuse(self, peer: Peer, packet_id: int | None, code: PubAckReasonCode, reason: str) -> None:
        """Answer a PUBLISH with no, and count it."""
        self.counts.refused[int(code)] += 1
        peer.session.answer(packet_id or 0, code, reason)

    # After the commit.

    def settle(self, batch: list[Accepted], outcome: Outcome) -> None:
        """A commit is over: see `blindrelay.relay.settlement`."""
        self._settlement.settle(batch, outcome)

    async def drain(self) -> None:
        """Wait until what has been accepted so far is committed, or cannot be. Under overload: for `DRAIN_ROUNDS` commits.

        Raises what the store raises.
        """
        for number in range(DRAIN_ROUNDS):
            if number > 1 and not self.undecided():  # who has left is not counted, and is in the first commits
                return
            await self.committer.run(lambda connection: None)

    # What a delivery needs.

    def stands(self, peer: Peer) -> bool:
        """Whether this peer may (still) be given its mail. One that may not is disconnected."""
        if self.services.accounts.stands(peer.identity):
            return True
        reason = self.services.accounts.shut_out(peer.identity)
        code = DisconnectReasonCode.NOT_AUTHORIZED if reason is None else DisconnectReasonCode.ADMINISTRATIVE_ACTION
        asyncio.get_running_loop().call_soon(self.end, peer, code, reason)
        return False

    def remove(self, mailbox_id: int, sequence: int) -> None:
        """Delete an envelope in the next commit."""
        self.committer.remove(mailbox_id, sequence)

    def fetch(self, delivery: Delivery) -> None:
        """Bring a delivery its next page."""
        self._pages.fetch(delivery)

    # From outside.

    def news(self, mailbox: Mailbox) -> None:
        """Another node may have put something into a mailbox that is perhaps read here."""
        delivery = mailbox.delivery
        if delivery is not None:
            delivery.news()
            delivery.peer.flush()

    def taken_over(self, epochs: Mapping[int, int]) -> None:
        """These devices' sessions are at other nodes, of these epochs: connections of older ones end [3.1.4-3]."""
        self._reception.taken_over(epochs)

    def lost_inboxes(self, mailboxes: Sequence[Mailbox]) -> None:
        """These are read at other nodes: an inbox has one reader."""
        for mailbox in mailboxes:
            if mailbox.delivery is not None:
                reason = "another session reads this inbox"
                self.end(mailbox.delivery.peer, DisconnectReasonCode.SESSION_TAKEN_OVER, reason)

    def end(self, peer: Peer, code: DisconnectReasonCode, reason: str | None = None) -> None:
        """End a connection from our side, now."""
        peer.session.disconnect(code, reason)
        self.leave(peer)
        peer.flush()

    def disconnect(
        self,
        matches: Callable[[Identity], bool],
        code: DisconnectReasonCode = DisconnectReasonCode.NOT_AUTHORIZED,
        reason: str | None = None,
    ) -> int:
        """End every connection whose identity `matches`; return how many there were.

        One that is still being decided is asked for again at the end of its admission (`Accounts.stands`).
        """
        found = [peer for peer in self.peers if peer.admitted is not None and matches(peer.identity)]
        for peer in found:
            self.end(peer, code, reason)
        return len(found)

    def tell(self, matches: Callable[[Identity], bool], payload: bytes) -> None:
        """Send `payload` to the reply topic of every connection whose identity `matches`: an answer that nobody asked for.

        QoS 0: whoever is not there, or does not read, is not told.
        """
        for peer in list(self.peers):
            topic = topics.reply(peer.client_id)
            if peer.session.state is State.CONNECTED and topic in peer.subscriptions and matches(peer.identity):
                peer.session.reply(topic, payload, None)
                peer.flush()

    def forget_rings(self) -> None:
        """Forget the rings of recent ids that have not been used since the last call. Whoever calls it decides how often."""
        self._intake.forget_rings()

    async def sweep(self) -> None:
        """Delete the envelopes and sessions that have expired, and forget unused rings.

        Whoever calls it decides how often; once a minute is often enough. Of several nodes one does. Raises what the store
        raises.
        """
        self.sweeps += 1
        self.forget_rings()
        await self.sessions.purge()
        await self.committer.run(lambda _: None)  # after this, what was removed before it is not found any more
        now = self.now()
        for account_id, sequence, size in await self.committer.read(
            lambda connection: expired_envelopes(connection, now, EXPIRY_BATCH)
        ):
            mailbox = self.services.accounts.mailbox(account_id)
            if mailbox is None or not mailbox.handles(sequence, self.sweeps):
                if mailbox is not None:
                    mailbox.leave(size)
                self.committer.remove(account_id, sequence)

    async def stop(self, patience: float = 5.0, elsewhere: Sequence[str] = ()) -> None:
        """Let everybody go, to each of `elsewhere` in turn, within `patience` seconds: see `blindrelay.relay.parting`."""
        await part(self, patience, elsewhere)

    def give_up_calls(self) -> None:
        """Requests that are being carried out stay unanswered: whoever asked asks again."""
        self._calls.cancel()

    async def at_rest(self) -> None:
        """Wait until everything is written down that has begun to be: the ends of connections, above all."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def kinds(self) -> Counter[str]:
        """How many connections have been admitted and stand, by kind."""
        return Counter(kind_of(peer.identity) for peer in self.peers if peer.session.state is State.CONNECTED)

    def undecided(self) -> int:
        """Bytes of payload that wait for the store."""
        return sum(peer.undecided for peer in self.peers)
