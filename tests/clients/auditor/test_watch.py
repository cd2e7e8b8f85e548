"""What is not as it should be (`clients/auditor/watch.py`): an enterprise knows its certificates, a person their devices."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.auditor.watch import History, Own
from blindrelay.clients.enterprise.ca import Authority, Certificates
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.transparency.directory import (
    DeviceRevoked,
    DeviceStated,
    Entry,
    TenantEntered,
    TenantLeft,
    account_label,
)
from support.party import HandClock

TENANT = "acme.example"
ALICE, BOB = UserAddress(TENANT, "alice"), UserAddress(TENANT, "bob")
DIGEST = sha256(b"a statement").hexdigest()
STRANGE = sha256(b"a certificate of somebody else's").hexdigest()

CA = Authority.create(TENANT, HandClock())
ROOT = CA.root.public_bytes(Encoding.DER)
LAPTOP, PHONE = (
    CA.issue_device(DeviceAddress(TENANT, "alice", name), ec.generate_private_key(ec.SECP256R1()).public_key())
    for name in ("laptop", "phone")
)
RECORDS = CA.issue_device(
    DeviceAddress(TENANT, "alice", "records"), ec.generate_private_key(ec.SECP256R1()).public_key(), archive=True
)
LAPTOP_DIGEST, PHONE_DIGEST, RECORDS_DIGEST = (fingerprint(each).hex() for each in (LAPTOP, PHONE, RECORDS))
ENTERPRISE = Own.of_enterprise(Certificates(CA.root, (LAPTOP, PHONE, RECORDS), frozenset({fingerprint(PHONE)})))
SIGNED = "5" * 64
LEAVING = Own.of_enterprise(Certificates(CA.root, (LAPTOP,), frozenset(), frozenset({SIGNED})))
ALICES_LAPTOP = Own.of_account(ALICE, CA.root, [LAPTOP_DIGEST])


def stated(certificate: str, user: UserAddress = ALICE, sequence: int = 1, *, archive: bool = False) -> DeviceStated:
    return DeviceStated(
        archive=archive,
        tenant=user.tenant,
        account=account_label(user, ROOT),
        certificate=certificate,
        sequence=sequence,
        statement=DIGEST,
    )


def revoked(certificate: str, user: UserAddress = ALICE) -> DeviceRevoked:
    return DeviceRevoked(
        tenant=user.tenant, account=account_label(user, ROOT), certificate=certificate, revocation=DIGEST
    )


RIGHT_ROOT = TenantEntered(tenant=TENANT, root=fingerprint(CA.root).hex())
WRONG_ROOT = TenantEntered(tenant=TENANT, root=STRANGE)


def left(leaving: str | None, root: str = RIGHT_ROOT.root) -> TenantLeft:
    return TenantLeft(tenant=TENANT, root=root, leaving=leaving)


@pytest.mark.parametrize(
    ("own", "entry", "check"),
    [
        (ENTERPRISE, RIGHT_ROOT, None),
        (ENTERPRISE, WRONG_ROOT, "root"),
        (ENTERPRISE, stated(LAPTOP_DIGEST), None),
        (ENTERPRISE, stated(STRANGE), "device"),
        (ENTERPRISE, stated(LAPTOP_DIGEST, BOB), "account"),
        (ENTERPRISE, stated(RECORDS_DIGEST, archive=True), None),
        (ENTERPRISE, stated(RECORDS_DIGEST), "archive"),
        (ENTERPRISE, stated(LAPTOP_DIGEST, archive=True), "archive"),
        (ENTERPRISE, revoked(PHONE_DIGEST), None),
        (ENTERPRISE, revoked(LAPTOP_DIGEST), "revocation"),
        (ALICES_LAPTOP, RIGHT_ROOT, None),
        (ALICES_LAPTOP, WRONG_ROOT, "root"),
        (ALICES_LAPTOP, stated(LAPTOP_DIGEST), None),
        (ALICES_LAPTOP, stated(PHONE_DIGEST), "device"),  # the enterprise has enrolled it: that is just it
        (ALICES_LAPTOP, stated(RECORDS_DIGEST, archive=True), "device"),
        (ALICES_LAPTOP, revoked(LAPTOP_DIGEST), None),
    ],
)
def test_what_is_not_right_is_named(own: Own, entry: Entry, check: str | None) -> None:
    """The check, and a sentence with the certificate."""
    assert own.is_about(entry)
    found = own.objection(entry)
    assert (found and found[0]) == check
    if found is not None:
        certificate = entry.root if isinstance(entry, TenantEntered) else entry.certificate
        assert certificate in found[1]


@pytest.mark.parametrize(
    ("own", "entry", "is_right"),
    [
        (LEAVING, left(SIGNED), True),
        (LEAVING, left(DIGEST), False),  # signed with its key, and not by it: somebody has the key
        (LEAVING, left(None), False),  # the operator's word
        (LEAVING, left(SIGNED, STRANGE), False),
        (ENTERPRISE, left(SIGNED), False),
        (ALICES_LAPTOP, left(SIGNED), True),  # a person does not know what the enterprise has signed
        (ALICES_LAPTOP, left(None), True),
    ],
)
def test_an_enterprise_leaves_at_its_own_word(own: Own, entry: TenantLeft, is_right: bool) -> None:
    """Anything else is found."""
    assert own.is_about(entry)
    found = own.objection(entry)
    assert (found and found[0]) == (None if is_right else "left")


@pytest.mark.parametrize(
    ("own", "entry"),
    [
        (ENTERPRISE, TenantEntered(tenant="globex.example", root=STRANGE)),
        (ENTERPRISE, stated(STRANGE, UserAddress("globex.example", "alice"))),
        (ALICES_LAPTOP, stated(STRANGE, BOB)),
        (ALICES_LAPTOP, revoked(LAPTOP_DIGEST, BOB)),
        (ALICES_LAPTOP, TenantEntered(tenant="globex.example", root=STRANGE)),
    ],
)
def test_what_is_about_others_is_theirs(own: Own, entry: Entry) -> None:
    """Nobody is alarmed about somebody else's devices."""
    assert not own.is_about(entry)


def test_an_older_statement_that_comes_again_is_found() -> None:
    """A number that is not higher than the one before it: an old key may be about to be used again."""
    history = History()
    assert history.follow(0, stated(LAPTOP_DIGEST, sequence=5)) is None
    assert history.follow(1, stated(PHONE_DIGEST, sequence=3)) is None
    assert history.follow(2, stated(LAPTOP_DIGEST, sequence=6)) is None
    for sequence in (6, 5):
        found = history.follow(3, stated(LAPTOP_DIGEST, sequence=sequence))
        assert found is not None
        assert found[0] == "sequence"
        assert f"number {sequence} after number" in found[1]


def test_a_device_that_was_revoked_states_nothing_any_more() -> None:
    """Only what comes afterwards: what it stated before was right."""
    history = History()
    assert history.follow(0, stated(LAPTOP_DIGEST, sequence=5)) is None
    assert history.follow(1, revoked(LAPTOP_DIGEST)) is None
    found = history.follow(2, stated(LAPTOP_DIGEST, sequence=6))
    assert found is not None
    assert found[0] == "revoked"
    assert "entry 1 revoked it" in found[1]
