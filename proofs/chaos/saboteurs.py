"""Deliberate faults in the relay, one at a time, by name. Each must be reported by the oracle, or the oracle is broken.

A saboteur replaces one method of the relay before the relay is started, in the process of a run alone. Those of several nodes
show in a run of the fault matrix (`matrix`).
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from mqtt5 import ConnectPacket, DisconnectReasonCode

from blindrelay.proofs.chaos.device import Mood
from blindrelay.proofs.chaos.nemesis import Fault, Strike
from blindrelay.proofs.chaos.oracle import Invariant
from blindrelay.protocol.clock import Clock
from blindrelay.relay.exchange import Exchange, Services
from blindrelay.relay.mailbox import Delivery
from blindrelay.relay.mqtt import session
from blindrelay.relay.mqtt.session import Session
from blindrelay.relay.peer import Peer
from blindrelay.relay.ports import Envelope
from blindrelay.relay.ring import Known, Ring
from blindrelay.relay.store.committer import Committer, Outcome
from blindrelay.relay.store.entries import Accepted, Committed, Write
from blindrelay.relay.store.errors import StoreFailed
from blindrelay.relay.store.sqlite import SqliteStore


class Weather(Enum):
    """Under which kind of trouble a saboteur shows."""

    FAULTS = "a run with the nemesis' faults"
    POWER_CUT = "images of the disk as a power cut leaves it"
    SYNC_FAILS = "a sync call that fails"
    NODES = "a run of the fault matrix, with several nodes"


@dataclass(frozen=True, slots=True)
class Saboteur:
    """A fault, when it shows, and by the violation of which invariants (all of them)."""

    name: str
    apply: Callable[[], None]
    weather: Weather
    breaks: frozenset[Invariant]
    mood: Mood | None = None  # of the devices, when it does not show under most of them
    fault: str = ""  # of the matrix, under which it shows
    seed: int = 1  # of a run of that in which it does


def _puback_before_commit() -> None:
    accept, answer = Committer.accept, Session.answer

    def hasty(self: Committer, entry: Accepted) -> None:
        accept(self, entry)
        origin: Any = entry.origin
        origin.peer.session.answer(origin.packet_id)

    def once(self: Session, packet_id: int, *args: Any, **kwargs: Any) -> None:
        if packet_id in self._unanswered:
            answer(self, packet_id, *args, **kwargs)

    Committer.accept, Session.answer = hasty, once  # type: ignore[method-assign]


def _synchronous_off() -> None:
    begin = SqliteStore.__init__

    def careless(self: SqliteStore, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        driver: Any = self._connection.connection.driver_connection
        driver.execute("PRAGMA synchronous = OFF")

    SqliteStore.__init__ = careless  # type: ignore[method-assign]


def _delete_on_send() -> None:
    send = Delivery._send

    def forgetful(self: Delivery, envelope: Envelope, now: int) -> None:
        send(self, envelope, now)
        self._engine.remove(self.mailbox.account_id, envelope.sequence)

    Delivery._send = forgetful  # type: ignore[method-assign]


def _no_deduplication() -> None:
    known = Ring.known

    def forgetful(self: "Ring[Any]", message_id: bytes) -> Known[Any] | None:
        found = known(self, message_id)
        return found if found is not None and found.waiters is not None else None

    Ring.known = forgetful  # type: ignore[method-assign]


def _commit_out_of_order() -> None:
    settle = Exchange.settle

    def disorderly(self: Exchange, batch: list[Accepted], outcome: Outcome) -> None:
        places: dict[int, list[int]] = {}
        for entry in batch:
            places.setdefault(entry.mailbox_id, []).append(entry.sequence)
        for entry in reversed(batch):  # a gap in the places would be noticed, and filled from the store
            entry.sequence = places[entry.mailbox_id].pop(0)
        settle(self, batch[::-1], outcome)

    Exchange.settle = disorderly  # type: ignore[method-assign]


def _dup_never_set() -> None:
    deliver = Session.deliver

    def first_every_time(  # noqa: PLR0913
        self: Session, packet_id: int, topic: str, envelope: Envelope, *, expiry: int | None, again: bool
    ) -> None:
        deliver(self, packet_id, topic, envelope, expiry=expiry, again=again and False)

    Session.deliver = first_every_time  # type: ignore[method-assign]


def _new_ids_on_resend() -> None:
    deliver = Session.deliver
    last = 0

    def under_another_id(  # noqa: PLR0913
        self: Session, packet_id: int, topic: str, envelope: Envelope, *, expiry: int | None, again: bool
    ) -> None:
        nonlocal last
        last = packet_id = last % 65_535 + 1
        deliver(self, packet_id, topic, envelope, expiry=expiry, again=again)

    Session.deliver = under_another_id  # type: ignore[method-assign]


def _receive_maximum_ignored() -> None:
    connect = Session._connect

    def generous(self: Session, packet: ConnectPacket) -> None:
        connect(self, packet)
        self._window = 128

    session._HANDLERS[ConnectPacket] = generous  # the table holds the function itself


def _no_fencing_on_takeover() -> None:
    end = Exchange.end

    def tolerant(self: Exchange, peer: Peer, code: DisconnectReasonCode, reason: str | None = None) -> None:
        if code is not DisconnectReasonCode.SESSION_TAKEN_OVER:
            end(self, peer, code, reason)

    Exchange.end = tolerant  # type: ignore[method-assign]


def _expiry_on_the_wall_clock() -> None:
    begin = Exchange.__init__

    def credulous(self: Exchange, services: Services, *arguments: Any) -> None:
        begin(self, services, *arguments)
        clock: Clock = services.clock
        self._epoch, self._monotonic = 0.0, clock.now

    Exchange.__init__ = credulous  # type: ignore[method-assign, assignment]


def _error_from_fsync_swallowed() -> None:
    commit, checkpoint, tidy = SqliteStore.commit, SqliteStore.checkpoint, SqliteStore.tidy

    def deaf(
        self: SqliteStore,
        accepted: Sequence[Accepted],
        removed: Sequence[tuple[int, int]],
        writes: Sequence[Write] = (),
    ) -> Committed:
        try:
            return commit(self, accepted, removed, writes)
        except StoreFailed:
            with contextlib.suppress(sqlite3.Error):
                self._driver.execute("ROLLBACK")
            return Committed(Outcome.COMMITTED, [None] * len(writes))

    def swallowing(method: Callable[[SqliteStore], bool]) -> Callable[[SqliteStore], bool]:
        def tried(self: SqliteStore) -> bool:
            with contextlib.suppress(StoreFailed):
                return method(self)
            return True

        return tried

    SqliteStore.commit = deaf  # type: ignore[method-assign]
    SqliteStore.checkpoint, SqliteStore.tidy = swallowing(checkpoint), swallowing(tidy)  # type: ignore[method-assign,assignment]


def _no_polling() -> None:
    from blindrelay.relay.cluster.mail import Mail  # noqa: PLC0415 - an extra of the relay's

    async def blind(_: Mail, __: object) -> None:
        pass

    Mail._look = blind  # type: ignore[method-assign, assignment]


def _no_fencing_across_nodes() -> None:
    from blindrelay.relay.cluster.node import Node  # noqa: PLC0415

    async def deaf(self: Node, keys: Sequence[str]) -> None:
        pass

    Node._sessions = Node._readers = deaf  # type: ignore[method-assign]


#: Four seconds in which every one of them shows: answers are lost, connections cut, the clock is stepped.
SCHEDULE: Final = (
    Strike(0.5, Fault.CLOCK_FORWARD, 1.0),
    Strike(0.7, Fault.ANSWERS_HELD, 0.4),
    Strike(1.12, Fault.RESET, 0.0),
    Strike(1.8, Fault.FREEZE, 0.5),
    Strike(2.0, Fault.RESET, 0.0),
    Strike(2.6, Fault.ANSWERS_HELD, 0.3),
    Strike(2.92, Fault.RESET, 0.0),
)
SCHEDULE_SECONDS: Final = 4.0
#: What is lost is not waited for as long as elsewhere: here it is expected.
PATIENCE: Final = 5.0

_I = Invariant

#: All of them, by name.
SABOTEURS: Final = {
    saboteur.name: saboteur
    for saboteur in (
        Saboteur("puback-before-commit", _puback_before_commit, Weather.POWER_CUT, frozenset({_I.I1})),
        Saboteur("synchronous-off", _synchronous_off, Weather.POWER_CUT, frozenset({_I.I1})),
        Saboteur(
            "error-from-fsync-swallowed", _error_from_fsync_swallowed, Weather.SYNC_FAILS, frozenset({_I.I8, _I.I9})
        ),
        Saboteur("delete-on-send", _delete_on_send, Weather.FAULTS, frozenset({_I.I1})),
        Saboteur("no-deduplication", _no_deduplication, Weather.FAULTS, frozenset({_I.I2, _I.I8})),
        Saboteur("commit-out-of-order", _commit_out_of_order, Weather.FAULTS, frozenset({_I.I4})),
        Saboteur("dup-never-set", _dup_never_set, Weather.FAULTS, frozenset({_I.I7})),
        Saboteur("new-ids-on-resend", _new_ids_on_resend, Weather.FAULTS, frozenset({_I.I7})),
        Saboteur("receive-maximum-ignored", _receive_maximum_ignored, Weather.FAULTS, frozenset({_I.I7})),
        Saboteur("no-fencing-on-takeover", _no_fencing_on_takeover, Weather.FAULTS, frozenset({_I.I7}), Mood.DOUBLE),
        Saboteur("no-polling", _no_polling, Weather.NODES, frozenset({_I.I1}), fault="wake-ups-lost"),
        Saboteur(
            "puback-before-commit-at-nodes",
            _puback_before_commit,
            Weather.NODES,
            frozenset({_I.I1}),
            fault="database-killed",
            seed=10,
        ),
        Saboteur(
            "no-fencing-across-nodes",
            _no_fencing_across_nodes,
            Weather.NODES,
            frozenset({_I.I7}),
            Mood.DOUBLE,
            fault="wake-ups-lost",  # nothing else goes wrong meanwhile, that could be the reason
        ),
        Saboteur("expiry-on-the-wall-clock", _expiry_on_the_wall_clock, Weather.FAULTS, frozenset({_I.I6})),
    )
}
