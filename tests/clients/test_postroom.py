"""A letter's whole way, from one device's outbox into another device's store."""

import os
import time

import pytest

from blindrelay.clients.contacts import Contacts
from blindrelay.clients.content import Letter, Mail
from blindrelay.clients.errors import (
    ContentRejected,
    EnvelopeRejected,
    Expired,
    IdentityRejected,
    RatchetRejected,
)
from blindrelay.clients.heads import Heads
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import PROCESSED_FOR, KeyStore, Space
from blindrelay.clients.parts import PIECE
from blindrelay.clients.postroom import Postroom, Unsealed
from blindrelay.protocol.sizes import BUCKETS
from support.party import Party, chat


def test_reading_twice_gives_nothing_the_second_time(met):
    """An envelope that the relay delivers twice reaches the application once."""
    alice, bob = met
    entry = alice.write(bob, "once")
    assert bob.text(entry) == "once"
    assert bob.read(entry) is None


def test_other_message_id_does_not_open(met):
    """An envelope that comes under another message id does not open."""
    alice, bob = met
    entry = alice.write(bob)
    with pytest.raises(EnvelopeRejected) as caught:
        bob.postroom.unseal(os.urandom(16), entry.envelope)
    assert caught.value.check == "seal"


def test_readdressed_envelope_does_not_open(met, enrol):
    """An envelope that is re-addressed does not open, even with the same sealing key."""
    alice, bob = met
    entry = alice.write(bob)
    with pytest.raises(EnvelopeRejected):
        enrol("globex.example/bob/tablet").postroom.unseal(entry.message_id, entry.envelope)


def test_ratchet_replay_under_new_id_is_refused(met):
    """The same ratchet message in a fresh envelope under a fresh id is refused by the ratchet, and its id remembered."""
    alice, bob = met
    entry = alice.write(bob)
    frame = bob.postroom.unseal(entry.message_id, entry.envelope).frame
    assert bob.text(entry) == "hi"
    again = Unsealed(os.urandom(16), frame)
    with pytest.raises(RatchetRejected):
        bob.postroom.receive(again)
    assert bob.store.was_processed(again.message_id)


def test_claimed_sender_must_own_the_ratchet(met, enrol):
    """A frame that claims another sender than the one whose identity key encrypted it is refused."""
    alice, bob = met
    mallory = enrol("acme.example/mallory/laptop")
    mallory.meet(bob)
    bob.read(alice.write(bob))
    bob.read(mallory.write(bob))
    entry = mallory.write(bob)
    frame = bob.postroom.unseal(entry.message_id, entry.envelope).frame
    forged = type(frame)(alice.address, frame.message, None)
    with pytest.raises(RatchetRejected):
        bob.postroom.receive(Unsealed(entry.message_id, forged))


def test_stolen_introduction_does_not_help(met, enrol):
    """A frame with somebody else's introduction and one's own ratchet message is refused."""
    alice, bob = met
    mallory = enrol("acme.example/mallory/laptop")
    mallory.meet(bob)
    entry = mallory.write(bob)
    frame = bob.postroom.unseal(entry.message_id, entry.envelope).frame
    forged = type(frame)(alice.address, frame.message, alice.identity.introduction)
    with pytest.raises(RatchetRejected):
        bob.postroom.receive(Unsealed(entry.message_id, forged))


def test_unknown_root_is_asked_for_and_not_taken_from_the_sender(alice, bob):
    """A first message of an unknown tenant names the tenant to look up, and is refused without its root."""
    alice.meet(bob)
    entry = alice.write(bob)
    unsealed = bob.postroom.unseal(entry.message_id, entry.envelope)
    assert bob.postroom.root_needed(unsealed) == "acme.example"
    with pytest.raises(IdentityRejected) as caught:
        bob.postroom.receive(unsealed)
    assert caught.value.check == "root"


def test_withdrawn_device_is_refused(met):
    """A device that its enterprise does not list any more is neither read nor written to."""
    alice, bob = met
    bob.contacts.accept(alice.entry())
    bob.read(alice.write(bob))
    bob.contacts.accept(alice.entry().model_copy(update={"devices": []}))
    with pytest.raises(IdentityRejected) as caught:
        bob.read(alice.write(bob))
    assert caught.value.check == "withdrawn"
    with pytest.raises(IdentityRejected):
        bob.write(alice)


def test_expired_message_is_not_shown(met):
    """The absolute expiry inside is enforced by the client, whatever the relay does."""
    alice, bob = met
    (entry,) = alice.send(bob, Letter(chat()), ttl=60)
    bob.clock.at += 61
    with pytest.raises(Expired):
        bob.read(entry)
    assert bob.store.was_processed(entry.message_id)


def test_expiry_beyond_memory_is_refused(met):
    """A message that outlives the memory of its id is refused: it could be replayed."""
    alice, bob = met
    (entry,) = alice.send(bob, Letter(chat()), ttl=PROCESSED_FOR + 10)
    with pytest.raises(ContentRejected):
        bob.read(entry)


def test_malformed_content_is_kept_and_harms_nothing(met, monkeypatch):
    """A letter that decrypts to nonsense raises, is kept for a later version, and the next letter arrives."""
    alice, bob = met
    with monkeypatch.context() as patch:
        patch.setattr("blindrelay.clients.content.encode", lambda letter: b"\1\0\0\0\2{}")
        bad = alice.write(bob)
    good = alice.write(bob, "next")
    with bob.store.transaction(), pytest.raises(ContentRejected):
        bob.read(bad)
    assert bob.text(good) == "next"
    assert [value.endswith(b"{}") for _, value in bob.store.items(Space.UNREADABLE)] == [True]


def test_rolled_back_batch_can_be_received_again(met):
    """When the transaction around a batch fails, ratchet and ids go back with it and the batch is received again."""
    alice, bob = met
    entries = [alice.write(bob, str(number)) for number in range(3)]
    with pytest.raises(ZeroDivisionError), bob.store.transaction():  # noqa: PT012
        assert [bob.text(entry) for entry in entries] == ["0", "1", "2"]
        raise ZeroDivisionError
    assert [bob.text(entry) for entry in entries] == ["0", "1", "2"]


def test_failed_seal_leaves_nothing_behind(met):
    """A letter that cannot be sealed for each device leaves no envelope and no ratchet step of any."""
    alice, bob = met
    with pytest.raises(IdentityRejected):
        alice.postroom.seal(Letter(chat()), [bob.address, alice.address], expires_at=2_000_000_000)
    assert alice.store.outbox() == []
    assert bob.text(alice.write(bob)) == "hi"


def test_conversation_goes_both_ways(met):
    """After the first message both sides write, and the ratchet messages become normal ones without introduction."""
    alice, bob = met
    assert bob.text(alice.write(bob, "ping")) == "ping"
    bob.contacts.accept(alice.entry())
    assert alice.text(bob.write(alice, "pong")) == "pong"
    entry = alice.write(bob, "again")
    assert bob.postroom.unseal(entry.message_id, entry.envelope).frame.introduction is None
    assert bob.text(entry) == "again"


def test_large_letter_arrives_in_parts_in_any_order(met):
    """A letter of several parts arrives whole, whatever the order, and leaves no part behind."""
    alice, bob = met
    data = os.urandom(3 * PIECE + 17)
    entries = alice.send(bob, Letter(Mail(id=bytes(16), sent_at=1), data))
    assert len(entries) == 4
    assert {len(entry.envelope) in BUCKETS for entry in entries} == {True}
    arrivals = [bob.read(entry) for entry in reversed(entries)]
    assert arrivals[:3] == [None] * 3
    assert arrivals[3] is not None
    assert arrivals[3].letter.attachment == data
    assert list(bob.store.items(Space.TRANSFER)) == []


def test_outbox_holds_the_very_bytes(met):
    """What is sent again after a crash is the same envelope under the same id."""
    alice, bob = met
    entry = alice.write(bob)
    assert alice.store.outbox() == [entry]
    alice.store.dequeue(entry.sequence)
    assert alice.store.outbox() == []


def test_state_survives_the_process(alice, enrol, tmp_path, clock):
    """A device that is closed and opened again goes on in the middle of a conversation."""

    path = tmp_path / "keys.db"
    bob = enrol("globex.example/bob/phone", path=path)
    alice.meet(bob)
    bob.contacts.accept(alice.entry())
    assert bob.text(alice.write(bob, "before")) == "before"
    waiting = alice.write(bob, "after")
    bob.store.close()
    with KeyStore.open(path, "secret") as store:
        identity, contacts = OwnIdentity.load(store), Contacts(store, clock)
        bob = Party(store, identity, contacts, Postroom(store, identity, contacts, Heads(store, clock), clock), clock)
        assert bob.text(waiting) == "after"
        assert alice.text(bob.write(alice, "answer")) == "answer"


def test_rotated_sealing_key_opens_what_was_sealed_before(met):
    """Envelopes that were sealed to the sealing key before open after a rotation, and new ones use the new key."""
    alice, bob = met
    before = alice.write(bob, "before")
    bob.clock.at += 8 * 86_400
    assert bob.identity.rotation_due(bob.clock)
    old = bob.identity.sealing_keys[0].public
    bob.identity.rotate_sealing_key(bob.clock)
    alice.contacts.accept(bob.entry())
    after = alice.write(bob, "after")
    assert bob.identity.sealing_keys[0].public != old
    bob.clock.at -= 8 * 86_400
    assert bob.text(before) == "before"
    assert bob.text(after) == "after"


def test_seal_and_open_take_less_than_a_millisecond(met):
    """A letter of 1 KB is sealed and opened, key stores included, in a millisecond in the median."""
    alice, bob = met
    bob.contacts.accept(alice.entry())
    bob.read(alice.write(bob))
    alice.read(bob.write(alice))
    spent = []
    for _ in range(100):
        start = time.perf_counter()
        with alice.store.transaction():
            entry = alice.write(bob, "x" * 1_024)
        with bob.store.transaction():
            bob.read(entry)
        spent.append(time.perf_counter() - start)
        alice.store.dequeue(entry.sequence)
    # Twice the promise: the machine may be busy with the rest of the suite. The benchmark holds the promise itself.
    assert sorted(spent)[50] < 0.002, f"median {sorted(spent)[50] * 1e6:.0f} us"
