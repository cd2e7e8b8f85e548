"""Identities: what makes two connections the same, and what is not shown."""

from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Registrar, SealedSender

ALICE = DeviceAddress("acme.example", "alice", "laptop")


def test_a_renewed_certificate_is_the_same_device() -> None:
    """The account is what counts: sessions and limits outlive a certificate."""
    old = DeviceIdentity(ALICE, 7, b"old", b"1", 1.0)
    new = DeviceIdentity(ALICE, 7, b"new", b"2", 2.0)
    assert old == new
    assert hash(old) == hash(new)
    assert old != DeviceIdentity(ALICE, 8, b"old", b"1", 1.0)


def test_no_two_anonymous_connections_are_the_same() -> None:
    """Nothing ties one sealed connection to another, not even the same token."""
    user = UserAddress("acme.example", "alice")
    assert SealedSender(user, b"x") != SealedSender(user, b"x")
    assert Registrar() != Registrar()


def test_verifiers_and_certificates_are_not_shown() -> None:
    """They would end in logs, in full."""
    shown = [
        repr(DeviceIdentity(ALICE, 7, b"SECRET", b"SECRET", 1.0)),
        repr(AdministratorIdentity("acme.example", b"SECRET", 1.0)),
        repr(SealedSender(ALICE.owner, b"SECRET")),
    ]
    assert "SECRET" not in "".join(shown)


def test_each_is_of_a_tenant() -> None:
    """The tenant whose limits count is the recipient's for a sealed sender, for nobody knows its own."""
    assert DeviceIdentity(ALICE, 7, b"", b"", 1.0).tenant == "acme.example"
    assert SealedSender(UserAddress("globex.example", "bob"), b"").tenant == "globex.example"
