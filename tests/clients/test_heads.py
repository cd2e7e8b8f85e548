"""The log as a device has seen it: one history that only grows, and is the same for everybody."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.clients.errors import HistoryRejected
from blindrelay.clients.heads import Heads
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.log_records import Alarm, Habits
from blindrelay.protocol.rpc import PROVE_HEAD, Head, Included, LogPolicies, ProvenHead
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosign
from blindrelay.protocol.transparency.directory import TenantEntered
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust, Witness
from support.merkle import Log
from support.party import HandClock
from support.witnessed import HONEST, ORIGIN, Operator, forked

HOUR = 3_600
BOB = "globex.example/bob/phone"
FORKED = forked(8)
HABITS = Habits()


def witness(name: str) -> SigningKey:
    """A witness's key."""
    return SigningKey.generate(name, Algorithm.COSIGNATURE)


def policy(operator: Operator, *witnesses: SigningKey, quorum: int | None = None) -> str:
    """By what to verify the operator's log."""
    known = tuple(Witness(key.name, key.verifier) for key in witnesses)
    return str(Trust.threshold(operator.key.verifier, known, len(known) if quorum is None else quorum))


def cosigned(note: Note, time: float, *witnesses: SigningKey) -> bytes:
    """The note with cosignatures of that time."""
    return note.with_signature(*(cosign(note, key, int(time)) for key in witnesses)).encode()


@dataclass
class Relay:
    """A relay that answers from whichever history it likes."""

    operator: Operator = field(default_factory=Operator)
    log: Log = HONEST
    size: int = 20
    policy: str = ""
    #: Called while an answer is on its way.
    meanwhile: Callable[[], None] = lambda: None
    asked: list[Sequence[int]] = field(default_factory=list)
    tampered: Callable[[ProvenHead], ProvenHead] = lambda answer: answer

    def note(self, size: int | None = None, log: Log | None = None) -> bytes:
        """A checkpoint, signed by the log alone."""
        return self.operator.note(size or self.size, log or self.log).encode()

    def head(self, seen: int, size: int | None = None, log: Log | None = None) -> Head:
        """What goes with the answer to a look-up."""
        size, log = size or self.size, log or self.log
        return Head(checkpoint=self.note(size, log), consistency=proof(log, seen, size))

    async def call(self, method: Any, request: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        if method is not PROVE_HEAD:
            return LogPolicies(directory=self.policy)
        self.asked.append(request.seen)
        answer = ProvenHead(
            checkpoint=self.note(), consistency=[proof(self.log, size, self.size) for size in request.seen]
        )
        self.meanwhile()
        return self.tampered(answer)


def proof(log: Log, old: int, new: int) -> list[bytes]:
    """A consistency proof, as far as there is one."""
    return log.proof(old, new) if 0 < old < new else []


@pytest.fixture
def store() -> KeyStore:
    """A key store in memory."""
    return KeyStore.in_memory()


@pytest.fixture
def relay() -> Relay:
    """A relay with a log of its own."""
    return Relay()


@pytest.fixture
def heads(store: KeyStore, clock: HandClock, relay: Relay) -> Heads:
    """A device that has seen nothing yet, and knows the log's key."""
    return Heads(store, clock, Habits(policy(relay.operator)))


def check_of(call: Callable[..., object], *arguments: object) -> str:
    """The check on which a call fails."""
    with pytest.raises(HistoryRejected) as caught:
        call(*arguments)
    return caught.value.check


def look_up(heads: Heads, head: Head, seen: Checkpoint | None = None) -> Checkpoint:
    """What a look-up does with what it is answered."""
    with heads.transaction():
        return heads.accept(head, seen)


def shown(heads: Heads, relay: Relay, size: int, log: Log = HONEST) -> Checkpoint:
    """A look-up over the device's own connection, asked and answered."""
    seen = heads.checkpoint
    return look_up(heads, relay.head(seen.size if seen else 0, size, log), seen)


def alarm_of(heads: Heads) -> Alarm:
    """The alarm that there is."""
    assert heads.alarm is not None
    return heads.alarm


# `checkpoint`


def test_a_checkpoint_of_the_log_is_believed(heads: Heads, relay: Relay) -> None:
    """The first one is taken as it is, and each that continues it takes its place."""
    assert shown(heads, relay, 5) == Checkpoint(ORIGIN, 5, HONEST.root(5))
    assert shown(heads, relay, 20) == heads.checkpoint == Checkpoint(ORIGIN, 20, HONEST.root(20))
    assert heads.alarm is None


def test_what_another_key_has_signed_is_no_checkpoint(heads: Heads) -> None:
    """A log of the same name and another key."""
    assert check_of(shown, heads, Relay(), 5) == "checkpoint"
    assert heads.checkpoint is None


@pytest.mark.parametrize("data", [b"", b"no note", b"\xff\n\n", "\n— a b\n".encode()])
def test_what_is_no_note_is_no_checkpoint(heads: Heads, data: bytes) -> None:
    """Whatever bytes the relay answers with."""
    assert check_of(look_up, heads, Head(checkpoint=data, consistency=[])) == "checkpoint"


def test_without_a_policy_nothing_is_believed(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """Nobody has said by what to verify the log."""
    assert check_of(shown, Heads(store, clock), relay, 5) == "checkpoint"


def test_as_many_witnesses_as_the_policy_wants(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """One of two is too few where both are wanted, and enough where one is."""
    keys = [witness("a"), witness("b")]
    head = Head(checkpoint=cosigned(relay.operator.note(5), clock.now(), keys[0]), consistency=[])

    assert check_of(look_up, Heads(store, clock, Habits(policy(relay.operator, *keys))), head) == "checkpoint"
    assert look_up(Heads(store, clock, Habits(policy(relay.operator, *keys, quorum=1))), head).size == 5


def test_as_many_witnesses_as_the_person_wants(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """A device can want more than the policy does, and not more than there are."""
    keys = [witness("a"), witness("b")]
    lax = policy(relay.operator, *keys, quorum=0)
    head = Head(checkpoint=cosigned(relay.operator.note(5), clock.now(), keys[0]), consistency=[])

    assert look_up(Heads(store, clock, Habits(lax)), head).size == 5
    assert check_of(look_up, Heads(store, clock, Habits(lax, witnesses=2)), head) == "checkpoint"
    assert check_of(look_up, Heads(store, clock, Habits(lax, witnesses=3)), head) == "checkpoint"


# `stale`


@pytest.mark.parametrize("age", [HOUR + 1, 30 * 86_400, -HOUR - 1])
def test_old_cosignatures_are_stale(store: KeyStore, clock: HandClock, relay: Relay, age: int) -> None:
    """And so are those of a witness whose clock is ahead of ours."""
    key = witness("a")
    heads = Heads(store, clock, Habits(policy(relay.operator, key)))
    head = Head(checkpoint=cosigned(relay.operator.note(5), clock.now() - age, key), consistency=[])

    assert check_of(look_up, heads, head) == "stale"
    assert heads.checkpoint is None


def test_as_many_fresh_cosignatures_as_are_wanted(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """One that is fresh does not make up for another one that is not."""
    a, b = witness("a"), witness("b")
    note = relay.operator.note(5)
    times = (cosign(note, a, int(clock.now())), cosign(note, b, int(clock.now()) - 2 * HOUR))
    head = Head(checkpoint=note.with_signature(*times).encode(), consistency=[])

    assert check_of(look_up, Heads(store, clock, Habits(policy(relay.operator, a, b))), head) == "stale"
    assert look_up(Heads(store, clock, Habits(policy(relay.operator, a, b, quorum=1))), head).size == 5


def test_the_same_checkpoint_cosigned_again_is_fresh_again(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """A log in which nothing happens is not one that is being withheld."""
    key = witness("a")
    heads = Heads(store, clock, Habits(policy(relay.operator, key)))
    for _ in range(3):
        seen = heads.checkpoint
        look_up(heads, Head(checkpoint=cosigned(relay.operator.note(5), clock.now(), key), consistency=[]), seen)
        clock.at += HOUR
    assert heads.alarm is None


# `inclusion`


def test_an_entry_is_where_it_is_said_to_be(heads: Heads, clock: HandClock) -> None:
    """The entry, its place and the siblings have to belong together."""
    entries = [TenantEntered(tenant=f"t{n}.example", root="00" * 32) for n in range(9)]
    log = Log([entry.encode() for entry in entries])
    head = Checkpoint(ORIGIN, 9, log.root(9))

    for index, entry in enumerate(entries):
        heads.check_included(entry, Included(index=index, path=log.path(index, 9)), head)
    for index, path in [(3, log.path(4, 9)), (5, log.path(4, 9)), (4, log.path(4, 9)[:-1]), (4, []), (9, [])]:
        assert check_of(heads.check_included, entries[4], Included(index=index, path=path), head) == "inclusion"
    ghost = TenantEntered(tenant="t4.example", root="11" * 32)
    assert check_of(heads.check_included, ghost, Included(index=4, path=log.path(4, 9)), head) == "inclusion"
    assert heads.alarm is None  # it is no proof of two histories


# `consistency`, `rollback`, `split-view`


def test_a_log_that_does_not_continue_itself(heads: Heads, relay: Relay) -> None:
    """A larger checkpoint of another history, with a proof that is right in that history."""
    shown(heads, relay, 12)
    assert check_of(shown, heads, relay, 20, FORKED) == "consistency"


def test_a_log_that_proves_nothing(heads: Heads, relay: Relay) -> None:
    """The right history, and no proof."""
    seen = shown(heads, relay, 12)
    head = relay.head(12, 20).model_copy(update={"consistency": []})
    assert check_of(look_up, heads, head, seen) == "consistency"


@pytest.mark.parametrize("log", [HONEST, FORKED])
def test_a_log_that_forgets(heads: Heads, relay: Relay, log: Log) -> None:
    """A smaller checkpoint, be it true or not."""
    shown(heads, relay, 12)
    assert check_of(shown, heads, relay, 11, log) == "rollback"


def test_two_checkpoints_of_one_size(heads: Heads, relay: Relay) -> None:
    """They need no proof: the log has signed both."""
    shown(heads, relay, 12)
    assert check_of(shown, heads, relay, 12, FORKED) == "split-view"


def test_a_fork_of_the_same_size_shown_over_another_connection(heads: Heads, relay: Relay) -> None:
    """Who asks without saying what they have seen finds the contradiction all the same, before anything is encrypted."""
    shown(heads, relay, 12)
    assert check_of(look_up, heads, relay.head(0, 12, FORKED)) == "split-view"
    assert alarm_of(heads).theirs == relay.note(12, FORKED)


# The alarm.


@pytest.fixture
def alarmed(heads: Heads, relay: Relay) -> Heads:
    """A device that has been shown two histories."""
    shown(heads, relay, 12)
    with pytest.raises(HistoryRejected):
        shown(heads, relay, 20, FORKED)
    return heads


def test_the_evidence_is_kept(alarmed: Heads, relay: Relay, clock: HandClock) -> None:
    """Both checkpoints, which the log has signed, in whole."""
    alarm = alarm_of(alarmed)
    assert (alarm.check, alarm.at, alarm.heard_from) == ("consistency", int(clock.now()), "")
    assert (alarm.ours, alarm.theirs) == (relay.note(12), relay.note(20, FORKED))


def test_an_alarm_survives_the_transaction_that_it_ends(store: KeyStore, heads: Heads, relay: Relay) -> None:
    """What the look-up had written is rolled back, and the alarm is not."""
    shown(heads, relay, 12)

    def refused() -> None:
        with heads.transaction():
            store.put(Space.SETTING, "something", b"that was kept on the way")
            heads.accept(relay.head(12, 20, FORKED), heads.checkpoint)

    assert check_of(refused) == alarm_of(heads).check == "consistency"
    assert store.get(Space.SETTING, "something") is None
    assert heads.checkpoint == Checkpoint(ORIGIN, 12, HONEST.root(12))
    asyncio.run(assert_nothing_is_compared(heads, relay))


async def assert_nothing_is_compared(heads: Heads, relay: Relay) -> None:
    """With an alarm, the relay is not asked."""
    with pytest.raises(HistoryRejected):
        await heads.reconcile(relay)
    assert relay.asked == []


def test_an_alarm_survives_a_restart(alarmed: Heads, store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """Another process with the same key store refuses to go on, with the same words."""
    again = Heads(store, clock, Habits(policy(relay.operator)))
    assert again.alarm == alarmed.alarm
    assert check_of(again.check) == "consistency"


def test_with_an_alarm_nothing_is_believed(alarmed: Heads, relay: Relay) -> None:
    """Not even what fits: the relay has shown that it has two histories."""
    assert check_of(shown, alarmed, relay, 20) == "consistency"


def test_the_first_alarm_is_the_evidence(alarmed: Heads, relay: Relay) -> None:
    """What comes later does not take its place."""
    before = alarmed.alarm
    alarmed.hear(relay.note(12, FORKED), BOB)
    assert alarmed.alarm == before


async def test_an_alarm_that_comes_during_a_comparison_stays(heads: Heads, relay: Relay) -> None:
    """Two contradictions at once: the first that was found is the one that is kept."""
    shown(heads, relay, 12)
    heads.hear(relay.note(10, FORKED), "acme.example/carol/laptop")
    relay.meanwhile = lambda: heads.hear(relay.note(12, FORKED), BOB)
    with pytest.raises(HistoryRejected):
        await heads.reconcile(relay)
    assert alarm_of(heads).heard_from == BOB


def test_what_was_rolled_back_was_never_seen(heads: Heads, relay: Relay, store: KeyStore) -> None:
    """A letter or a look-up that could not be stored leaves no checkpoint behind, in memory neither."""

    def failing(size: int) -> None:
        with store.transaction():
            shown(heads, relay, size)
            raise ZeroDivisionError

    shown(heads, relay, 12)
    with pytest.raises(ZeroDivisionError):
        failing(20)
    assert heads.checkpoint == Checkpoint(ORIGIN, 12, HONEST.root(12))


def test_a_person_can_dismiss_an_alarm(alarmed: Heads, relay: Relay, store: KeyStore, clock: HandClock) -> None:
    """What the relay shows from then on is taken for the history, with the same key."""
    alarmed.hear(relay.note(30), BOB)
    alarmed.dismiss()
    for heads in (alarmed, Heads(store, clock, Habits(policy(relay.operator)))):
        heads.check()
        assert (heads.alarm, heads.checkpoint, heads.gossip) == (None, None, b"")
    assert shown(alarmed, relay, 20, FORKED).size == 20


# Gossip.


def test_what_goes_out_is_the_newest_checkpoint_with_the_logs_signature(
    store: KeyStore, clock: HandClock, relay: Relay
) -> None:
    """Witnesses' cosignatures are large, say when one has looked, and prove nothing more."""
    key = witness("a")
    heads = Heads(store, clock, Habits(policy(relay.operator, key)))
    assert heads.gossip == b""
    for size in (5, 12):
        seen = heads.checkpoint
        note = cosigned(relay.operator.note(size), clock.now(), key)
        look_up(heads, Head(checkpoint=note, consistency=proof(HONEST, 5, size)), seen)
        assert heads.gossip == relay.note(size)


@pytest.mark.parametrize("data", [b"", b"no note", b"\xff", b"log.example/directory\n5\nAAAA\n\n"])
def test_gossip_that_is_no_checkpoint_is_passed_over(heads: Heads, relay: Relay, data: bytes) -> None:
    """A peer may send anything."""
    shown(heads, relay, 12)
    heads.hear(data, BOB)
    assert not heads.due.is_set()


def test_gossip_that_the_log_has_not_signed_is_passed_over(heads: Heads, relay: Relay) -> None:
    """Nobody but the log can accuse the log, whatever the size."""
    shown(heads, relay, 12)
    liar = Operator()
    for size in (9, 12, 30):
        heads.hear(liar.note(size, FORKED).encode(), BOB)
        heads.hear(Note(liar.note(size, FORKED).text, relay.operator.note(size).signatures).encode(), BOB)
    heads.check()
    assert not heads.due.is_set()


def test_gossip_of_another_log_is_passed_over(heads: Heads, relay: Relay) -> None:
    """A key may sign for a log of another name: that says nothing about this one."""
    shown(heads, relay, 12)
    head = Checkpoint("log.example/another", 12, FORKED.root(12))
    heads.hear(head.sign(relay.operator.key).encode(), BOB)
    heads.check()
    assert not heads.due.is_set()


def test_gossip_of_the_same_history_is_no_news(heads: Heads, relay: Relay) -> None:
    """The same checkpoint as our own."""
    shown(heads, relay, 12)
    heads.hear(relay.note(12), BOB)
    assert not heads.due.is_set()


def test_gossip_of_another_history_is_an_alarm_at_once(heads: Heads, relay: Relay, store: KeyStore) -> None:
    """Of our own size, it needs no proof; also in a transaction that stores the letter."""
    shown(heads, relay, 12)
    with store.transaction():
        heads.hear(relay.note(12, FORKED), BOB)
    assert (alarm_of(heads).check, alarm_of(heads).heard_from) == ("split-view", BOB)
    assert check_of(heads.check) == "split-view"
    assert BOB in alarm_of(heads).reason


def test_a_peer_cannot_fill_the_key_store(heads: Heads, relay: Relay) -> None:
    """So many are compared at once; what was left out comes again with the next letter."""
    shown(heads, relay, 40)
    for size in range(1, 39):
        heads.hear(relay.note(size), BOB)
    relay.size = 40
    asyncio.run(heads.reconcile(relay))
    (asked,) = relay.asked
    assert len(asked) == 16


# Comparing.


@pytest.mark.parametrize("heard", [5, 30])
async def test_what_was_heard_is_compared(heads: Heads, relay: Relay, heard: int) -> None:
    """Older or newer than our own: the relay proves that its newest checkpoint continues both."""
    shown(heads, relay, 12)
    heads.hear(relay.note(heard), BOB)
    assert heads.due.is_set()
    relay.size = 40

    await heads.reconcile(relay)

    assert relay.asked == [[heard, 12]]
    assert heads.checkpoint == Checkpoint(ORIGIN, 40, HONEST.root(40))
    assert not heads.due.is_set()
    await heads.reconcile(relay)
    assert len(relay.asked) == 1  # nothing is left to be asked


async def test_what_many_have_seen_is_asked_about_once(heads: Heads, relay: Relay) -> None:
    """Letters of many people with one checkpoint in them are one question."""
    shown(heads, relay, 12)
    for number in range(5):
        heads.hear(relay.note(5), f"globex.example/user-{number}/phone")
    await heads.reconcile(relay)
    assert relay.asked == [[5, 12]]


async def test_what_is_heard_during_a_comparison_is_compared_next(heads: Heads, relay: Relay) -> None:
    """It was not in the question, so the answer says nothing about it."""
    shown(heads, relay, 12)
    heads.hear(relay.note(5), BOB)
    relay.meanwhile = lambda: heads.hear(relay.note(7), BOB)
    await heads.reconcile(relay)
    assert heads.due.is_set()
    relay.meanwhile = lambda: None
    await heads.reconcile(relay)
    assert relay.asked == [[5, 12], [7, 20]]


@pytest.mark.parametrize(("heard", "answered"), [(10, 20), (30, 40)])
async def test_a_peer_who_was_shown_another_history(heads: Heads, relay: Relay, heard: int, answered: int) -> None:
    """The relay cannot prove that what it shows us continues what it has shown the peer. The alarm names the peer."""
    shown(heads, relay, 12)
    heads.hear(relay.note(heard, FORKED), BOB)
    relay.size = answered

    with pytest.raises(HistoryRejected) as caught:
        await heads.reconcile(relay)

    assert caught.value.check == "split-view"
    assert (alarm_of(heads).heard_from, alarm_of(heads).theirs) == (BOB, relay.note(heard, FORKED))


async def test_a_relay_that_withholds_what_a_peer_was_shown(heads: Heads, relay: Relay) -> None:
    """It has signed thirty entries for the peer, and says that there are twenty."""
    shown(heads, relay, 12)
    heads.hear(relay.note(30), BOB)
    with pytest.raises(HistoryRejected) as caught:
        await heads.reconcile(relay)
    assert caught.value.check == "rollback"
    assert alarm_of(heads).heard_from == BOB


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_as_many_proofs_as_were_asked_for(heads: Heads, relay: Relay, count: int) -> None:
    """A relay that answers with fewer or more has proved nothing."""
    shown(heads, relay, 12)
    heads.hear(relay.note(5), BOB)
    proofs = [proof(HONEST, 5, 20), proof(HONEST, 12, 20), []][:count]
    relay.tampered = lambda answer: answer.model_copy(update={"consistency": proofs})
    with pytest.raises(HistoryRejected):
        await heads.reconcile(relay)
    assert heads.alarm is not None


async def test_an_answer_that_does_not_hold_settles_nothing(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """A checkpoint without witnesses is no answer: what was heard stays to be compared."""
    key = witness("a")
    heads = Heads(store, clock, Habits(policy(relay.operator, key)))
    note = cosigned(relay.operator.note(12), clock.now(), key)
    look_up(heads, Head(checkpoint=note, consistency=[]))
    heads.hear(relay.note(20), BOB)

    with pytest.raises(HistoryRejected) as caught:
        await heads.reconcile(relay)
    assert caught.value.check == "checkpoint"
    assert heads.alarm is None

    relay.tampered = lambda answer: answer.model_copy(
        update={"checkpoint": cosigned(relay.operator.note(20), clock.now(), key)}
    )
    await heads.reconcile(relay)
    assert heads.checkpoint == Checkpoint(ORIGIN, 20, HONEST.root(20))


def test_a_relay_that_does_not_answer_is_not_used_for_ever(
    heads: Heads, relay: Relay, clock: HandClock, store: KeyStore
) -> None:
    """After an hour nothing is encrypted before what a peer has seen has been compared, restarts included."""
    shown(heads, relay, 12)
    heads.hear(relay.note(20), BOB)
    clock.at += HOUR
    heads.check()
    clock.at += 1
    again = Heads(store, clock, Habits(policy(relay.operator)))
    for each in (heads, again):
        assert check_of(each.check) == "split-view"
    assert heads.alarm is None  # nothing is proved: it may have been the network


def test_look_ups_that_were_under_way_together(heads: Heads, relay: Relay) -> None:
    """Both were asked with what was the newest one then; whichever is answered first, they are compared."""
    seen = shown(heads, relay, 5)
    look_up(heads, relay.head(5, 20), seen)
    assert not heads.due.is_set()
    assert look_up(heads, relay.head(5, 12), seen).size == 12
    assert heads.checkpoint == Checkpoint(ORIGIN, 20, HONEST.root(20))
    assert heads.due.is_set()
    asyncio.run(heads.reconcile(relay))
    assert relay.asked == [[12, 20]]
    assert heads.alarm is None


def test_look_ups_that_were_under_way_together_and_do_not_fit(heads: Heads, relay: Relay) -> None:
    """Each continues what was seen before, and not the other one."""
    seen = shown(heads, relay, 5)
    look_up(heads, relay.head(5, 20), seen)
    look_up(heads, relay.head(5, 12, FORKED), seen)
    with pytest.raises(HistoryRejected):
        asyncio.run(heads.reconcile(relay))
    assert heads.alarm is not None


async def test_a_look_up_that_is_answered_during_a_comparison(heads: Heads, relay: Relay) -> None:
    """The comparison proves that its answer continues what was seen before, and not that it continues the look-up's."""
    seen = shown(heads, relay, 5)
    heads.hear(relay.note(7), BOB)
    relay.log = FORKED
    relay.meanwhile = lambda: look_up(heads, relay.head(5, 30, HONEST), seen) and None

    await heads.reconcile(relay)

    assert heads.checkpoint == Checkpoint(ORIGIN, 30, HONEST.root(30))  # nothing that was seen is forgotten
    assert heads.due.is_set()
    relay.meanwhile = lambda: None
    with pytest.raises(HistoryRejected):
        await heads.reconcile(relay)
    assert heads.alarm is not None


def test_what_came_over_an_anonymous_connection_is_compared_later(heads: Heads, relay: Relay) -> None:
    """Asked about at once, the relay would know who had asked."""
    shown(heads, relay, 12)
    look_up(heads, relay.head(0, 20))
    assert not heads.due.is_set()
    asyncio.run(heads.reconcile(relay))  # whenever there is another reason
    assert relay.asked == [[20, 12]]


# The key that the log signs with.


async def learned(heads: Heads, relay: Relay, text: str) -> None:
    """The relay has been asked by what to verify its log."""
    relay.policy = text
    await heads.learn_policy(relay)


def with_both_keys(relay: Relay, new: Operator, size: int) -> bytes:
    """A checkpoint signed by the old key and the new one."""
    return relay.operator.note(size, relay.log, relay.operator.key, new.key).encode()


async def test_the_first_policy_that_the_relay_says_is_kept(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """Another one that its key does not vouch for changes nothing, also after a restart."""
    heads = Heads(store, clock)
    await learned(heads, relay, policy(relay.operator))
    shown(heads, relay, 12)

    again = Heads(store, clock)
    await learned(again, relay, policy(Operator()))
    assert again.due.is_set()
    await again.reconcile(relay)

    assert again.trust == Trust.parse(policy(relay.operator))
    assert shown(again, relay, 20).size == 20


async def test_a_policy_that_cannot_be_read_is_not_kept(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """Then the relay is asked again the next time."""
    heads = Heads(store, clock)
    with pytest.raises(HistoryRejected):
        await learned(heads, relay, "log nonsense")
    await learned(heads, relay, policy(relay.operator))
    assert shown(heads, relay, 12).size == 12


async def test_a_key_that_the_old_one_vouches_for_is_taken(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """A checkpoint that both have signed is proof that the log has replaced its key."""
    heads, new = Heads(store, clock), Operator()
    await learned(heads, relay, policy(relay.operator))
    shown(heads, relay, 12)
    await learned(heads, relay, policy(new))
    relay.tampered = lambda answer: answer.model_copy(update={"checkpoint": with_both_keys(relay, new, 20)})

    await heads.reconcile(relay)

    assert heads.trust == Trust.parse(policy(new))
    assert shown(heads, Relay(new), 30).size == 30
    assert check_of(shown, heads, relay, 40) == "checkpoint"


async def test_a_key_replaced_for_one_person_alone_hides_nothing(
    store: KeyStore, clock: HandClock, relay: Relay
) -> None:
    """What others have been shown under the former key still counts: else it were a way to keep letters from being heard."""
    heads, new = Heads(store, clock), Operator()
    await learned(heads, relay, policy(relay.operator))
    shown(heads, relay, 12)
    await learned(heads, relay, policy(new))
    relay.tampered = lambda answer: answer.model_copy(update={"checkpoint": with_both_keys(relay, new, 20)})
    await heads.reconcile(relay)

    again = Heads(store, clock)
    again.hear(relay.note(30, FORKED), BOB)

    assert again.due.is_set()
    with pytest.raises(HistoryRejected):
        await again.reconcile(Relay(new, size=40))
    assert alarm_of(again).heard_from == BOB


@pytest.mark.parametrize("change", ["none", "fewer", "another"])
async def test_no_policy_with_other_witnesses_is_taken(
    store: KeyStore, clock: HandClock, relay: Relay, change: str
) -> None:
    """The log's key does not vouch for witnesses: a relay could shake off those that watch it."""
    a, b, own = witness("a"), witness("b"), witness("c")
    heads = Heads(store, clock)
    await learned(heads, relay, policy(relay.operator, a, b))
    note = relay.operator.note(20)
    relay.tampered = lambda answer: answer.model_copy(update={"checkpoint": cosigned(note, clock.now(), a, b, own)})
    offered = {"none": (), "fewer": (a,), "another": (a, own)}[change]
    await learned(heads, relay, policy(relay.operator, *offered))

    await heads.reconcile(relay)

    assert heads.trust == Trust.parse(policy(relay.operator, a, b))


async def test_witnesses_may_be_added_where_there_were_none(store: KeyStore, clock: HandClock, relay: Relay) -> None:
    """Whoever asks for nothing so far loses nothing."""
    key = witness("a")
    heads = Heads(store, clock)
    await learned(heads, relay, policy(relay.operator))
    await learned(heads, relay, policy(relay.operator, key))
    relay.tampered = lambda answer: answer.model_copy(
        update={"checkpoint": cosigned(relay.operator.note(20), clock.now(), key)}
    )
    await heads.reconcile(relay)
    assert heads.trust == Trust.parse(policy(relay.operator, key))


async def test_who_has_been_told_does_not_ask_the_relay(heads: Heads, relay: Relay) -> None:
    """A policy from elsewhere counts, and no other one."""
    await learned(heads, relay, policy(Operator()))
    assert heads.trust == Trust.parse(policy(relay.operator))
    assert not heads.due.is_set()


# Whatever happens in whichever order.

#: What happens: a look-up is asked and answered, out of one of the histories; an answer arrives, the first one first or not;
#: a letter comes from somebody who was shown one of them; or all that was heard is compared while something else happens.
_which, _sizes = st.integers(0, 1), st.sampled_from([5, 12, 20])
_simple = st.one_of(
    st.tuples(st.just("ask"), _which, _sizes, st.booleans()),
    st.tuples(st.just("look up"), _which, _sizes, st.booleans()),
    st.tuples(st.just("arrive"), st.integers(0, 3)),
    st.tuples(st.just("hear"), _which, _sizes),
)
_steps = st.lists(_simple | st.tuples(st.just("compare"), _which, _sizes, st.lists(_simple, max_size=3)))


class Play:
    """A device, and a relay with one history or two that part after the eighth entry."""

    def __init__(self, *histories: Log) -> None:
        self.relay = Relay()
        self.histories = histories
        self.largest = [0, 0]  # a relay that goes back in one history is another test's
        self.heads = Heads(KeyStore.in_memory(), HandClock(), Habits(policy(self.relay.operator)))
        self.under_way: list[tuple[Checkpoint | None, Head]] = []
        #: What the device has been shown or told, and has not refused.
        self.believed: list[Checkpoint] = []

    def step(self, step: tuple[Any, ...]) -> None:
        """One thing happens. Raises what the device refuses."""
        match step:
            case ["ask", which, size, named]:
                seen = self.heads.checkpoint if named else None
                log, size = self._show(which, size)
                self.under_way.append((seen, self.relay.head(seen.size if seen else 0, size, log)))
            case ["look up", *rest]:
                self.step(("ask", *rest))
                self.step(("arrive", -1))
            case ["arrive", index] if self.under_way:
                seen, head = self.under_way.pop(index % len(self.under_way))
                self.believed.append(look_up(self.heads, head, seen))
            case ["hear", which, size]:
                log, size = self._show(which, size)
                self.heads.hear(self.relay.note(size, log), BOB)
                self.believed.append(Checkpoint(ORIGIN, size, log.root(size)))
            case ["compare", which, size, meanwhile]:
                self.relay.log, self.relay.size = self._show(which, size)
                self.relay.meanwhile = lambda: [self.step(each) for each in meanwhile] and None
                asyncio.run(self.heads.reconcile(self.relay))

    def _show(self, which: int, size: int) -> tuple[Log, int]:
        which %= len(self.histories)
        self.largest[which] = max(self.largest[which], size)
        return self.histories[which], self.largest[which]

    def settle(self) -> None:
        """Compare until nothing is left to be compared."""
        self.relay.meanwhile = lambda: None
        self.relay.log, self.relay.size = self.histories[0], 40
        for _ in range(3):
            asyncio.run(self.heads.reconcile(self.relay))


@given(_steps)
def test_an_honest_relay_raises_no_alarm(steps: list[tuple[Any, ...]]) -> None:
    """However look-ups, letters and comparisons overtake one another; and the newest checkpoint never gets older."""
    play = Play(HONEST)
    size = 0
    for step in steps:
        play.step(step)
        head = play.heads.checkpoint
        assert (head.size if head else 0) >= size
        size = head.size if head else 0
    play.settle()
    assert play.heads.alarm is None


@given(_steps)
def test_who_has_met_both_histories_knows_in_the_end(steps: list[tuple[Any, ...]]) -> None:
    """In whichever order they were shown: once all is compared, there is an alarm, or something was refused before."""
    play = Play(HONEST, FORKED)
    try:
        for step in steps:
            play.step(step)
        play.settle()
    except HistoryRejected:
        return
    met = [any(log.root(each.size) != each.root for each in play.believed) for log in (FORKED, HONEST)]
    assert play.heads.alarm is not None or not all(met)
