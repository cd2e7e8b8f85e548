"""The invariants, as pure functions: what a client saw, what was done to it and what the store holds go in, findings come out.

An invariant does not know how the relay works, only what it promised. Its number is the one by which tests and reports
call it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from blindrelay.proofs.chaos.history import History, Message, by_client, messages, postponed
from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.protocol.sizes import MAX_TTL

# MQTT counts expiry in whole seconds, rounded by each side, and the last hop takes time.
EXPIRY_GRACE = 2.0
# A restart asks the wall clock anew: what is left of an expiry, in whole seconds, may be one more than before it.
EXPIRY_ROUNDING = 1
# After a restart, or at another node, DUP is decided by the second in which a message was accepted, and by when a node that has
# lost the session has heard of that; 1 too often is harmless.
DUP_GRACE = 2.5
# What a busy machine may take to notice, hand on and carry out anything at all. Seconds.
REACTION = 2.0
# A heal includes the relay's start: interpreter, imports, opening of the store; and the clients' back-off.
FIRST_ACKNOWLEDGEMENT = 8.0
# PUBACKs in the last moment of a connection may be lost with it, or with the commit that would have deleted.
LOST_CONFIRMATIONS = 1.5
# Allocators keep what they once had; a leak of messages (1 KiB each, thousands) is above this.
RESIDENT_GROWTH = 48 * 1024 * 1024
DESCRIPTOR_GROWTH = 3
THREAD_GROWTH = 2

SESSION_TAKEN_OVER = 0x8E


class Invariant(StrEnum):
    """What has to hold."""

    I1 = "acknowledged and not expired: handed to its recipient"
    I2 = "handed at most once"
    I3 = "handed only what was sent, as it was sent, to whom it was sent"
    I4 = "handed in the order of sending, per pair"
    I5 = "refused: never handed"
    I6 = "expiry holds: nothing handed too late, what is left never grows"
    I7 = "the wire keeps to MQTT: identifiers, DUP, Receive Maximum, CONNACK first, one connection per client"
    I8 = "the store forgets what was confirmed and has one traffic record per accepted message"
    I9 = "the store is whole"
    I10 = "resources return, and service returns in time"
    I11 = "whatever is sent again, and every lost connection, has a cause"


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that did not hold, and where."""

    invariant: Invariant
    what: str

    def __str__(self) -> str:
        return f"{self.invariant.name} {self.what}"


def examine(history: History) -> list[Finding]:
    """Everything that is wrong with a run, in the order of the invariants."""
    known = messages(history.entries)
    return [Finding(invariant, what) for invariant, check in INVARIANTS.items() for what in check(history, known)]


Known = dict[str, Message]
Check = Callable[[History, Known], Iterator[str]]


def _name(message: Message) -> str:
    return f"{message.sender} -> {message.recipient} #{message.number} ({message.message_id[:8]})"


def acknowledged_is_handed(history: History, known: Known) -> Iterator[str]:
    """I1."""
    for message in known.values():
        expired = message.ttl is not None and history.end >= message.intents[0].at + message.ttl - EXPIRY_GRACE
        if message.acked and not expired and not any(each.client == message.recipient for each in message.handed):
            yield f"lost: {_name(message)} was acknowledged and never handed over"


def handed_once(_history: History, known: Known) -> Iterator[str]:
    """I2."""
    for message in known.values():
        if len(message.handed) > 1:
            yield f"doubled: {_name(message)} was handed over {len(message.handed)} times"


def handed_was_sent(_history: History, known: Known) -> Iterator[str]:
    """I3."""
    for message in known.values():
        for each in (*message.handed, *message.wires):
            if not message.intents:
                yield f"phantom: {each.client} was given {message.message_id}, which nobody sent"
            elif each.client != message.recipient:
                yield f"mixed up: {each.client} was given {_name(message)}"
            elif each.digest != message.digest:
                yield f"altered: {_name(message)} arrived with another payload"
            elif each.at < message.intents[0].at:
                yield f"phantom: {_name(message)} arrived before it was sent"


def handed_in_order(history: History, known: Known) -> Iterator[str]:
    """I4."""
    last: dict[tuple[str, str], Message] = {}
    for entry in history.entries:
        if entry.kind is not Kind.HANDED or not (message := known[entry.message_id]).intents:
            continue
        pair = (message.sender, message.recipient)
        before = last.get(pair)
        if before is not None and before.number > message.number:
            yield f"out of order: {_name(message)} was handed over after #{before.number}"
        last[pair] = message


def refused_is_not_handed(_history: History, known: Known) -> Iterator[str]:
    """I5."""
    for message in known.values():
        if message.certainly_refused and message.handed:
            yield f"{_name(message)} was refused with {message.refused[0].code:#x} and handed over"


def expiry_holds(history: History, known: Known) -> Iterator[str]:
    """I6."""
    for message in known.values():
        for number, each in enumerate(message.wires):
            if each.ttl is None and message.ttl is None:
                continue
            # Whoever asks for no expiry gets the relay's own bound. What was under way on an older connection may come in
            # behind what was sent later on a newer one: the two say nothing about each other.
            before = (wire.ttl for wire in message.wires[:number] if wire.ttl and wire.connection <= each.connection)
            left = min([MAX_TTL if message.ttl is None else message.ttl, *before])
            if each.ttl is None or not 0 < each.ttl <= left + EXPIRY_ROUNDING:
                yield f"{_name(message)} had {left} s left and arrived with {each.ttl}"
        decided = [*message.acked, *message.unknown]
        if decided and message.handed and message.ttl is not None:
            deadline = max(each.at for each in decided) + message.ttl + EXPIRY_GRACE
            allowed = postponed(deadline, history.disturbances, message.recipient, EXPIRY_GRACE)
            if (overdue := message.handed[0].at - allowed) > 0:
                yield f"{_name(message)} was handed over {overdue:.1f} s after its expiry"


@dataclass(slots=True)
class _Wire:
    """One client's connections, as MQTT sees them."""

    connected: dict[int, Entry] = field(default_factory=dict)
    session: dict[str, int] = field(default_factory=dict)  # message id -> packet id, over resumed connections
    in_flight: dict[int, dict[int, str]] = field(default_factory=dict)  # connection -> packet id -> message id
    closed: dict[int, Entry] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        return max(self.connected, default=0)


def wire_keeps_to_mqtt(history: History, known: Known) -> Iterator[str]:
    """I7."""
    for client, entries in by_client(history.entries).items():
        state = _Wire()
        for entry in entries:
            match entry.kind:
                case Kind.CONNECTED:
                    state.connected[entry.connection] = entry
                    state.in_flight[entry.connection] = {}
                    if not entry.resumed:
                        state.session.clear()
                case Kind.WIRE:
                    yield from (f"{client}: {what}" for what in _arrival(state, entry, history, known))
                case Kind.CONFIRMED:
                    state.in_flight.get(entry.connection, {}).pop(entry.packet_id, None)
                case Kind.CLOSED:
                    state.closed[entry.connection] = entry
        yield from _overtaken(client, state, history)


def _arrival(state: _Wire, entry: Entry, history: History, known: Known) -> Iterator[str]:
    start = state.connected.get(entry.connection)
    if start is None:
        yield f"a PUBLISH before CONNACK on connection {entry.connection}"
        return
    if entry.connection < state.newest:
        taken_over = state.connected[state.newest].at
        if entry.at > postponed(taken_over + REACTION, history.disturbances, entry.client, REACTION):
            yield f"a PUBLISH on connection {entry.connection}, which connection {state.newest} has taken over"
        return
    message, flight = known[entry.message_id], state.in_flight[entry.connection]
    if entry.packet_id in flight:
        again = flight[entry.packet_id] == entry.message_id
        yield f"packet id {entry.packet_id} " + ("sent again on a live connection" if again else "given twice")
    elif entry.message_id in flight.values():
        yield f"{_name(message)} is in flight twice, the second time as packet id {entry.packet_id}"
    before = state.session.get(entry.message_id)
    if before is not None and before != entry.packet_id:
        yield f"{_name(message)} resent as packet id {entry.packet_id}, was {before}"
    if before is not None and not entry.dup:
        yield f"{_name(message)} resent with DUP 0"
    if before is None and entry.dup and message.intents and message.intents[0].at > start.at + DUP_GRACE:
        yield f"{_name(message)} has DUP 1, and was sent after the connection began"
    state.session[entry.message_id] = entry.packet_id
    flight[entry.packet_id] = entry.message_id
    if len(flight) > start.receive_max:
        yield f"{len(flight)} messages in flight, Receive Maximum is {start.receive_max}"


def _overtaken(client: str, state: _Wire, history: History) -> Iterator[str]:
    """A connection that a newer one of the same client has taken over is ended by the server (3.1.4-3)."""
    for older, newer in pairwise(sorted(state.connected)):
        end, next_start = state.closed.get(older), state.connected[newer].at
        bound = postponed(next_start + REACTION, history.disturbances, client, REACTION)
        if history.end > bound and (end is None or end.at > bound):
            yield f"{client}: connection {older} lived on after connection {newer} had taken it over"


def store_is_consistent(history: History, known: Known) -> Iterator[str]:
    """I8."""
    if (store := history.store) is None:
        return
    for message_id in sorted(store.envelopes):
        if (message := known.get(message_id)) is None or not message.intents:
            yield f"the store has an envelope {message_id} that nobody sent"
        elif message.confirmed:
            yield f"the store still has {_name(message)}, which was confirmed"
    for message_id, count in store.traffic.items():
        if message_id not in known or not known[message_id].intents:
            yield f"the store has a traffic record of {message_id}, which nobody sent"
        elif count > 1:
            yield f"{_name(known[message_id])} has {count} traffic records"
        elif known[message_id].certainly_refused:
            yield f"{_name(known[message_id])} was refused and has a traffic record"
    for message in known.values():
        if message.confirmed and (message.sender, message.recipient, message.number) in store.remains:
            yield f"the payload of {_name(message)} was confirmed, and is left in the files"
        if message.acked and message.message_id not in store.traffic:
            yield f"{_name(message)} was acknowledged and has no traffic record"


def store_is_whole(history: History, _known: Known) -> Iterator[str]:
    """I9."""
    if history.store is not None:
        yield from history.store.damage


def resources_return(history: History, _known: Known) -> Iterator[str]:
    """I10."""
    before, after = history.before, history.after
    if before is not None and after is not None:
        if after.resident - before.resident > RESIDENT_GROWTH:
            yield f"resident memory grew from {before.resident >> 20} to {after.resident >> 20} MiB"
        if after.descriptors - before.descriptors > DESCRIPTOR_GROWTH:
            yield f"open files grew from {before.descriptors} to {after.descriptors}"
        if after.threads - before.threads > THREAD_GROWTH:
            yield f"threads grew from {before.threads} to {after.threads}"
    acknowledged = [entry.at for entry in history.entries if entry.kind is Kind.ACKED]
    for each in history.disturbances:
        bound = postponed(each.end, history.disturbances, "", FIRST_ACKNOWLEDGEMENT) + FIRST_ACKNOWLEDGEMENT
        served = any(each.end <= at <= bound for at in acknowledged)
        if not each.client and bound < history.produced_until and not served:
            yield f"no PUBACK within {bound - each.end:.1f} s after the end of {each.what}"


def repeats_have_causes(history: History, _known: Known) -> Iterator[str]:
    """I11."""
    for client, entries in by_client(history.entries).items():
        yield from _repeats(client, entries, history)
        yield from _severed(client, entries, history)


def _repeats(client: str, entries: list[Entry], history: History) -> Iterator[str]:
    wired: dict[str, Entry] = {}
    confirmed: dict[tuple[int, str], float] = {}
    closed: dict[int, float] = {}
    for entry in entries:
        if entry.kind is Kind.CLOSED:
            closed[entry.connection] = entry.at
        elif entry.kind is Kind.CONFIRMED:
            confirmed[entry.connection, entry.message_id] = entry.at
        elif entry.kind is Kind.WIRE:
            before, wired[entry.message_id] = wired.get(entry.message_id), entry
            if before is None:
                continue
            confirmation = confirmed.get((before.connection, before.message_id))
            if confirmation is None:
                continue
            reached = postponed(confirmation + LOST_CONFIRMATIONS, history.disturbances, client, LOST_CONFIRMATIONS)
            if closed.get(before.connection, entry.at) > reached:
                yield f"{client}: {entry.message_id[:8]} was sent again, long after its PUBACK"


def _severed(client: str, entries: list[Entry], history: History) -> Iterator[str]:
    began = {entry.connection: entry.at for entry in entries if entry.kind is Kind.CONNECTED}
    # A connection is taken over by one that is asked for, before its CONNACK. That may come late, or to nobody: the client may
    # have given up an older one, of which the relay hears only now.
    asked = {entry.connection: entry.at for entry in entries if entry.kind is Kind.KNOCKED}
    for entry in entries:
        if entry.kind is not Kind.CLOSED or entry.own or entry.connection not in began:
            continue
        caused = any(
            each.severs and each.client in {"", client} and each.start <= entry.at <= each.end + REACTION
            for each in history.disturbances
        )
        replaced = any(began[entry.connection] < at <= entry.at + REACTION for at in began.values()) or any(
            at <= entry.at < began.get(number, math.inf) for number, at in asked.items()
        )
        if not caused and not (entry.code == SESSION_TAKEN_OVER and replaced):
            yield f"{client}: connection {entry.connection} ended ({entry.code:#x}) and nothing had been done to it"


INVARIANTS: dict[Invariant, Check] = {
    Invariant.I1: acknowledged_is_handed,
    Invariant.I2: handed_once,
    Invariant.I3: handed_was_sent,
    Invariant.I4: handed_in_order,
    Invariant.I5: refused_is_not_handed,
    Invariant.I6: expiry_holds,
    Invariant.I7: wire_keeps_to_mqtt,
    Invariant.I8: store_is_consistent,
    Invariant.I9: store_is_whole,
    Invariant.I10: resources_return,
    Invariant.I11: repeats_have_causes,
}
