"""What a device is: only what belongs together becomes one, and its keys rotate in time."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from blindrelay.clients.errors import IdentityRejected, NotEnrolled, StoreDamaged
from blindrelay.clients.identity import KEEP_SEALING_KEY_FOR, ROTATE_FALLBACK_AFTER, OwnIdentity
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.protocol.certificates import public_key
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose

DAY = 86_400


def stated(party) -> DeviceStatement:
    """What the device's current statement says, once its signature is checked."""
    key = public_key(party.identity.certificate)
    return party.identity.statement().open_as(Purpose.STATEMENT, DeviceStatement, key)


@pytest.mark.parametrize(("what", "check"), [("key", "key"), ("root", "root"), ("certificate", "device")])
def test_what_does_not_belong_together_is_refused(authorities, clock, bob, what, check):
    """A certificate with another key, another tenant's root, or of no device makes no identity, and leaves no trace."""
    parts = {
        "key": bob.identity.key,
        "certificate": bob.identity.certificate,
        "root": bob.identity.root,
        "token": bob.identity.token,
    }
    parts[what] = {
        "key": ec.generate_private_key(ec.SECP256R1()),
        "root": authorities["acme.example"].root,
        "certificate": authorities["globex.example"].issue_administrator(bob.identity.key.public_key()),
    }[what]
    with KeyStore.in_memory() as store:
        with pytest.raises(IdentityRejected) as caught:
            OwnIdentity.create(store, clock=clock, **parts)
        assert caught.value.check == check
        assert list(store.items(Space.IDENTITY)) == []


def test_nobodys_store_says_so():
    """A key store without identity says that the device is not enrolled."""
    with KeyStore.in_memory() as store, pytest.raises(NotEnrolled, match="enrol it first"):
        OwnIdentity.load(store)


def test_loss_of_a_part_is_noticed(bob):
    """A key store that has lost a part of the identity is damaged, and says which part."""
    bob.store.delete(Space.IDENTITY, "certificate")
    with pytest.raises(StoreDamaged, match="certificate"):
        OwnIdentity.load(bob.store)


def test_loaded_identity_is_the_same(bob):
    """After a restart the device states what it stated before, and opens what it opened."""
    again = OwnIdentity.load(bob.store)
    assert again.statement() == bob.identity.statement()
    assert again.sealing_keys == bob.identity.sealing_keys
    assert again.ratchet.identity_key == bob.identity.ratchet.identity_key
    assert again.token == bob.identity.token


def test_statement_says_what_the_device_has(bob):
    """The statement holds the device's own keys, the verifier of its token, and the date as sequence."""
    statement = stated(bob)
    assert statement.device == bob.address
    assert statement.identity_key == bob.identity.ratchet.identity_key
    assert statement.signing_key == bob.identity.ratchet.signing_key
    assert statement.sealing_key == bob.identity.sealing_keys[0].public
    assert statement.token_verifier == bob.identity.token.verifier
    assert statement.sequence == int(bob.clock.now())


def test_sequence_rises_even_when_the_clock_is_set_back(bob):
    """Each rotation raises the sequence, whatever the clock does; the new key is on disk before it is published."""
    first = stated(bob).sequence
    bob.clock.at -= 10 * DAY
    bob.identity.rotate_sealing_key(bob.clock)
    assert stated(bob).sequence == first + 1
    assert OwnIdentity.load(bob.store).statement() == bob.identity.statement()


def test_sealing_keys_rotate_and_go(bob):
    """A sealing key is due after a week, opens for a month more, and is gone then."""
    first = bob.identity.sealing_keys[0]
    assert not bob.identity.rotation_due(bob.clock)
    bob.clock.at += 7 * DAY
    assert bob.identity.rotation_due(bob.clock)
    bob.identity.rotate_sealing_key(bob.clock)
    assert bob.identity.sealing_keys[1:] == (first,)
    bob.clock.at += KEEP_SEALING_KEY_FOR
    bob.identity.rotate_sealing_key(bob.clock)
    assert len(bob.identity.sealing_keys) == 1


def test_prekeys_are_signed_and_fill_up(bob):
    """Prekeys fill the relay up to fifty, are all different, and carry the device's signature and name."""
    published = bob.identity.prekeys(20, bob.clock, fallback=True)
    key = public_key(bob.identity.certificate)
    prekeys = [each.open_as(Purpose.PREKEY, Prekey, key) for each in published.one_time]
    assert len({prekey.key for prekey in prekeys}) == 30
    assert {(prekey.device, prekey.kind) for prekey in prekeys} == {(bob.address, "one-time")}
    assert published.fallback is not None
    assert published.fallback.open_as(Purpose.PREKEY, Prekey, key).kind == "fallback"
    assert bob.identity.prekeys(60, bob.clock, fallback=False).one_time == []


def test_fallback_key_is_due_at_first_and_then_monthly(bob):
    """A fallback key is due when there never was one, and again when the last has done its time."""
    assert bob.identity.fallback_due(bob.clock)
    bob.identity.prekeys(50, bob.clock, fallback=True)
    assert not bob.identity.fallback_due(bob.clock)
    bob.clock.at += ROTATE_FALLBACK_AFTER
    assert OwnIdentity.load(bob.store).fallback_due(bob.clock)


def test_secrets_are_not_in_reprs(bob):
    """Neither the identity nor its state shows a key, seed or token."""
    shown = repr(bob.identity) + repr(bob.identity._state) + repr(bob.identity.token)
    for secret in (bob.identity.token.value, bob.identity.sealing_keys[0].seeds):
        assert repr(secret)[2:20] not in shown
        assert secret.hex() not in shown
