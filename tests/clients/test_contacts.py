"""Contacts: which proofs are asked of a directory, and what is remembered of them."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.contacts import Contacts
from blindrelay.clients.enterprise.ca import Authority
from blindrelay.clients.errors import IdentityRejected
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.rpc import UserEntry
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose, Signed

BOB = UserAddress.parse("bob@globex.example")


def rejected(call, *arguments):
    """The check on which a call fails."""
    with pytest.raises(IdentityRejected) as caught:
        call(*arguments)
    return caught.value.check


def with_device(entry: UserEntry, **changes) -> UserEntry:
    """The entry with its first device changed."""
    return entry.model_copy(update={"devices": [entry.devices[0].model_copy(update=changes)]})


def restated(party, key=None, purpose=Purpose.STATEMENT, **changes) -> Signed:
    """A device's statement with other contents, signed with its key or another one."""
    body = DeviceStatement.model_validate_json(party.identity.statement().body)
    return Signed.create(purpose, body.model_copy(update=changes), key or party.identity.key)


def der(certificate) -> bytes:
    """The DER form."""
    return certificate.public_bytes(Encoding.DER)


def test_honest_entry_is_accepted(alice, bob):
    """An honest entry gives the user's device with its keys, also after a restart of the client."""
    contact = alice.contacts.accept(bob.entry())
    assert [device.address for device in contact.recipients] == [bob.address]
    assert contact.devices[0].identity_key == bob.identity.ratchet.identity_key
    assert Contacts(alice.store, alice.clock).contact(BOB) == contact
    assert alice.contacts.all() == [contact]


def test_changed_root_is_refused(alice, bob, clock):
    """A tenant that comes with another root than the pinned one is refused, and nothing about it is kept."""
    alice.contacts.accept(bob.entry())
    other = Authority.create("globex.example", clock)
    forged = bob.entry().model_copy(update={"root": der(other.root)})
    assert rejected(alice.contacts.accept, forged) == "root-changed"
    assert alice.contacts.root("globex.example") == bob.identity.root


@pytest.mark.parametrize("which", ["another tenant's", "a device's", "no"])
def test_unfit_root_is_refused(alice, bob, authorities, which):
    """Another tenant's root, a device certificate and plain bytes are no root of a tenant."""
    root = {
        "another tenant's": der(authorities["acme.example"].root),
        "a device's": der(bob.identity.certificate),
        "no": b"no certificate",
    }[which]
    assert rejected(alice.contacts.accept, bob.entry().model_copy(update={"root": root})) == "root"
    assert alice.contacts.root("globex.example") is None


def test_self_made_certificate_is_refused(alice, bob, clock):
    """A device certified by somebody else's CA of the same name fails the chain."""
    forger = Authority.create("globex.example", clock)
    certificate = forger.issue_device(bob.address, bob.identity.key.public_key())
    assert rejected(alice.contacts.accept, with_device(bob.entry(), certificate=der(certificate))) == "chain"


def test_expired_certificate_is_refused(alice, bob):
    """A certificate whose time is over fails the chain, at look-up and for every later message."""
    entry = bob.entry()
    alice.meet(bob)
    alice.clock.at += 400 * 86_400
    assert rejected(alice.contacts.accept, entry) == "chain"
    assert rejected(alice.write, bob) == "chain"


def test_other_tenants_device_is_refused(alice, bob, enrol):
    """A device of another tenant in a user's entry is refused."""
    stranger = enrol("acme.example/bob/phone")
    entry = bob.entry().model_copy(update={"devices": stranger.entry().devices})
    assert rejected(alice.contacts.accept, entry) == "user"


def test_certificate_of_another_device_is_refused(alice, bob, enrol):
    """A certificate that names another device than the entry is refused."""
    tablet = enrol("globex.example/bob/tablet")
    forged = with_device(bob.entry(), certificate=der(tablet.identity.certificate))
    assert rejected(alice.contacts.accept, forged) == "device"


def test_administrators_certificate_is_no_device(alice, bob, authorities):
    """The tenant's administrator cannot pass for a device."""
    certificate = authorities["globex.example"].issue_administrator(bob.identity.key.public_key())
    assert rejected(alice.contacts.accept, with_device(bob.entry(), certificate=der(certificate))) == "device"


def test_unreadable_certificate_is_refused(alice, bob):
    """Bytes that are no certificate are refused."""
    assert rejected(alice.contacts.accept, with_device(bob.entry(), certificate=b"x")) == "certificate"


def test_statement_by_another_key_is_refused(alice, bob):
    """A statement that the certificate's key did not sign is refused: the relay cannot swap keys."""
    forged = restated(bob, key=ec.generate_private_key(ec.SECP256R1()), identity_key=os.urandom(32))
    assert rejected(alice.contacts.accept, with_device(bob.entry(), statement=forged)) == "device-statement"


def test_statement_signed_for_another_purpose_is_refused(alice, bob):
    """The same bytes signed for another purpose are no statement."""
    forged = restated(bob, purpose=Purpose.PREKEY)
    assert rejected(alice.contacts.accept, with_device(bob.entry(), statement=forged)) == "device-statement"


def test_statement_of_another_device_is_refused(alice, bob):
    """A statement about another device, signed with this one's key, is refused."""
    forged = restated(bob, device=DeviceAddress.parse("globex.example/bob/tablet"))
    assert rejected(alice.contacts.accept, with_device(bob.entry(), statement=forged)) == "device"


def test_old_statement_is_refused(alice, bob):
    """A statement with a lower sequence than one that was seen is a replay."""
    old = bob.entry()
    bob.identity.rotate_sealing_key(bob.clock)
    alice.contacts.accept(bob.entry())
    assert rejected(alice.contacts.accept, old) == "sequence"


def test_old_statement_is_refused_after_a_withdrawal(alice, bob):
    """A device that was away from the directory does not come back with an older statement."""
    old = bob.entry()
    bob.identity.rotate_sealing_key(bob.clock)
    alice.contacts.accept(bob.entry())
    alice.contacts.accept(old.model_copy(update={"devices": []}))
    assert rejected(alice.contacts.accept, old) == "sequence"
    assert alice.contacts.accept(bob.entry()).recipients[0].withdrawn is False


def test_two_statements_with_one_number_are_refused(alice, bob):
    """Another statement under a sequence that was seen is refused."""
    alice.contacts.accept(bob.entry())
    forged = restated(bob, issued_at=1)
    assert rejected(alice.contacts.accept, with_device(bob.entry(), statement=forged)) == "sequence"


@pytest.mark.parametrize("key", [bytes(32), (1).to_bytes(32, "little")])
def test_small_order_keys_are_refused(alice, bob, key):
    """A device that states keys of small order is refused: everybody would know its secrets."""
    identity = with_device(bob.entry(), statement=restated(bob, identity_key=key))
    assert rejected(alice.contacts.accept, identity) == "identity-key"
    sealing = bob.identity.sealing_keys[0].public[:1_184] + key
    assert rejected(alice.contacts.accept, with_device(bob.entry(), statement=restated(bob, sealing_key=sealing))) == (
        "sealing-key"
    )


def test_one_bad_device_does_not_hide_the_good_ones(alice, bob, enrol):
    """Of an entry with a good and a bad device the good one is used, and the other one reported with its check."""
    entry = bob.entry(also=(enrol("globex.example/bob/tablet"),))
    devices = [entry.devices[0], entry.devices[1].model_copy(update={"statement": entry.devices[0].statement})]
    contact = alice.contacts.accept(entry.model_copy(update={"devices": devices}))
    assert [device.address for device in contact.recipients] == [bob.address]
    assert [(error.subject, error.check) for error in contact.rejected] == [
        ("globex.example/bob/tablet", "device-statement")
    ]


def test_archives_are_visible(alice, bob, enrol):
    """A compliance archive among somebody's devices is marked as one."""
    archive = enrol("globex.example/bob/archive", archive=True)
    contact = alice.contacts.accept(bob.entry(also=(archive,)))
    assert [device.address for device in contact.archives] == [archive.address]


def test_introduced_device_is_not_written_to_before_it_is_looked_up(met):
    """A device that introduced itself is known, and no recipient before the directory lists it."""
    alice, bob = met
    bob.read(alice.write(bob))
    contact = bob.contacts.contact(alice.address.owner)
    assert contact is not None
    assert contact.recipients == ()
    assert bob.contacts.accept(alice.entry()).recipients != ()


def test_withdrawn_device_cannot_introduce_itself_again(met):
    """A withdrawn device does not come back by introducing itself, not even with a newer statement."""
    alice, bob = met
    bob.contacts.accept(alice.entry())
    bob.contacts.accept(alice.entry().model_copy(update={"devices": []}))
    alice.identity.rotate_sealing_key(alice.clock)
    assert rejected(bob.contacts.introduce, alice.address, alice.identity.introduction) == "withdrawn"


@pytest.mark.parametrize("whose", ["another name", "another key", "another purpose"])
def test_foreign_prekeys_are_refused(alice, bob, enrol, whose):
    """A prekey that names another device, is signed by another key or for another purpose starts no session."""
    alice.contacts.accept(bob.entry())
    tablet = DeviceAddress.parse("globex.example/bob/tablet")
    named = Prekey(device=tablet, kind="one-time", key=b"k" * 32)
    prekey = {
        "another name": Signed.create(Purpose.PREKEY, named, bob.identity.key),
        "another key": enrol("globex.example/bob/tablet").claim(),
        "another purpose": bob.identity.statement(),
    }[whose]
    assert rejected(alice.postroom.start_session, bob.address, prekey) == "prekey"


def test_prekeys_of_strangers_are_refused(alice, bob):
    """A prekey of a device that was never looked up is refused."""
    assert rejected(alice.contacts.check_prekey, bob.address, bob.claim()) == "unknown"


def test_a_one_time_prekey_counts_once(alice, bob):
    """A one-time key that comes again is refused, restarts included; a fallback key may come as often as it likes."""
    alice.contacts.accept(bob.entry())
    first, second = bob.claim(), bob.claim()
    alice.postroom.start_session(bob.address, first)
    alice.postroom.start_session(bob.address, second)
    assert rejected(alice.postroom.start_session, bob.address, first) == "prekey-repeated"
    assert rejected(Contacts(alice.store, alice.clock).check_prekey, bob.address, second) == "prekey-repeated"
    bob.one_time.clear()
    for _ in range(2):
        alice.postroom.start_session(bob.address, bob.claim())


def test_token_must_be_the_stated_one(alice, bob):
    """A delivery token is kept when the user's devices state its verifier, and refused otherwise."""
    token = bob.identity.token
    assert rejected(alice.contacts.learn_token, BOB, token.value) == "token"
    alice.contacts.accept(bob.entry())
    assert rejected(alice.contacts.learn_token, BOB, bytes(32)) == "token"
    assert rejected(alice.contacts.learn_token, BOB, b"short") == "token"
    assert alice.contacts.token(BOB) is None
    alice.contacts.learn_token(BOB, token.value)
    assert alice.contacts.token(BOB) == token


def look_each_other_up(alice, bob):
    """Both know both."""
    for one in (alice, bob):
        for other in (alice, bob):
            one.contacts.accept(other.entry())


def test_safety_numbers_agree(alice, bob):
    """Both sides read the same sixty digits in twelve groups, and sealing keys that rotate do not change them."""
    look_each_other_up(alice, bob)
    us = alice.address.owner, bob.address.owner
    number = alice.contacts.safety_number(*us)
    assert [len(group) for group in number.split()] == [5] * 12
    assert number.replace(" ", "").isdigit()
    assert bob.contacts.safety_number(*reversed(us)) == number
    bob.identity.rotate_sealing_key(bob.clock)
    alice.contacts.accept(bob.entry())
    assert alice.contacts.safety_number(*us) == number


def test_verified_mark_lapses_when_a_device_is_added(alice, bob, enrol):
    """The number changes and the verified mark lapses when either of the two gets another device."""
    look_each_other_up(alice, bob)
    us = alice.address.owner, bob.address.owner
    assert not alice.contacts.is_verified(*us)
    alice.contacts.mark_verified(*us)
    number = alice.contacts.safety_number(*us)
    assert alice.contacts.is_verified(*us)
    alice.contacts.accept(bob.entry(also=(enrol("globex.example/bob/tablet"),)))
    assert not alice.contacts.is_verified(*us)
    assert alice.contacts.safety_number(*us) != number
    alice.contacts.accept(bob.entry())
    assert alice.contacts.is_verified(*us)
    alice.contacts.accept(alice.entry(also=(enrol("acme.example/alice/archive", archive=True),)))
    assert not alice.contacts.is_verified(*us)


def test_strangers_have_no_safety_number(alice, bob):
    """Without having looked both users up there is nothing to compare."""
    alice.contacts.accept(bob.entry())
    assert rejected(alice.contacts.safety_number, alice.address.owner, bob.address.owner) == "unknown"


def test_rolled_back_contacts_are_forgotten(alice, bob):
    """What was learned in a transaction that failed is not known."""
    with pytest.raises(ZeroDivisionError), alice.store.transaction():  # noqa: PT012
        alice.contacts.accept(bob.entry())
        raise ZeroDivisionError
    assert alice.contacts.contact(BOB) is None
