"""The tenant's CA: what it issues passes the profile, and what it keeps is for its owner alone."""

import stat
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.enterprise.ca import Authority, Validity, read_certificates
from blindrelay.clients.errors import AuthorityError
from blindrelay.clients.vault import CHEAP
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import (
    AdministratorAddress,
    check_root,
    fingerprint,
    is_archive,
    public_key,
    verify,
)
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.statements import Purpose, Revocation, RevocationReason

PHONE = DeviceAddress.parse("globex.example/bob/phone")
BOB = UserAddress.parse("bob@globex.example")


def new_key():
    """A device's public key."""
    return ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.fixture
def globex(clock):
    """An authority in memory."""
    return Authority.create("globex.example", clock)


@pytest.mark.parametrize("name", ["", "globex", "Globex.example", "../x.example", "globex.example/bob"])
def test_only_domains_are_tenants(clock, name):
    """What is no tenant's name gets no authority."""
    with pytest.raises(Malformed):
        Authority.create(name, clock)


def test_issued_certificates_pass_the_profile(globex, clock):
    """Root, device and administrator certificates pass the checks of the protocol."""
    check_root(globex.root, "globex.example")
    device = globex.issue_device(PHONE, new_key())
    assert verify(device, globex.root, "globex.example", clock.now()) == PHONE
    administrator = globex.issue_administrator(new_key())
    assert verify(administrator, globex.root, "globex.example", clock.now()) == AdministratorAddress("globex.example")


def test_a_validity_that_was_given_counts_for_all_that_is_issued(clock):
    """Root and devices are good from and until what was said, whatever the clock shows; the default is not touched."""
    given = Validity(datetime(2015, 7, 22, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    authority = Authority.create("globex.example", clock, validity=given)
    device = authority.issue_device(PHONE, new_key())
    for certificate in (authority.root, device):
        assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (
            given.not_before,
            given.not_after,
        )
    verify(device, authority.root, "globex.example", given.not_before.timestamp() + 1)
    with pytest.raises(VerificationFailed):
        verify(device, authority.root, "globex.example", given.not_after.timestamp() + 1)


def test_certificates_expire(globex, clock):
    """A device's certificate is good for 397 days and not longer."""
    device = globex.issue_device(PHONE, new_key())
    verify(device, globex.root, "globex.example", clock.now() + 396 * 86_400)
    with pytest.raises(VerificationFailed):
        verify(device, globex.root, "globex.example", clock.now() + 398 * 86_400)


def test_archive_mark(globex):
    """The archive mark is in the certificate of an archive alone."""
    assert is_archive(globex.issue_device(PHONE, new_key(), archive=True))
    assert not is_archive(globex.issue_device(PHONE, new_key()))


def test_other_tenants_devices_are_refused(globex, clock):
    """An enterprise neither enrols nor revokes another one's devices."""
    stranger = DeviceAddress.parse("acme.example/eve/phone")
    with pytest.raises(AuthorityError, match="its own alone"):
        globex.issue_device(stranger, new_key())
    certificate = Authority.create("acme.example", clock).issue_device(stranger, new_key())
    with pytest.raises(AuthorityError, match="its own alone"):
        globex.revoke(certificate)


def test_revocation_is_signed_by_the_root(globex, clock):
    """A revocation names the certificate and verifies with the root's key."""
    certificate = globex.issue_device(PHONE, new_key())
    signed = globex.revoke(certificate, RevocationReason.LOST)
    revocation = signed.open_as(Purpose.REVOCATION, Revocation, public_key(globex.root))
    assert revocation == Revocation(
        device=PHONE,
        certificate=fingerprint(certificate),
        revoked_at=int(clock.now()),
        reason=RevocationReason.LOST,
    )


def test_delivery_tokens_are_per_user_and_stable(globex, clock, tmp_path):
    """A user's token is the same each time, and another one for another user or tenant."""
    kept = Authority.create("globex.example", clock, tmp_path / "ca")
    token = kept.delivery_token(BOB)
    assert Authority.open(tmp_path / "ca", clock).delivery_token(BOB) == token
    assert kept.delivery_token(UserAddress.parse("eve@globex.example")) != token
    assert globex.delivery_token(BOB) != token


@pytest.mark.parametrize("passphrase", [None, "pass phrase"])
def test_authority_comes_back_from_disk(clock, tmp_path, passphrase):
    """An authority that is opened again issues under the same root and knows what it has issued."""
    first = Authority.create("globex.example", clock, tmp_path / "ca", passphrase, CHEAP)
    certificate = first.issue_device(PHONE, new_key())
    again = Authority.open(tmp_path / "ca", clock, passphrase)
    assert again.root == first.root
    assert again.certificates(PHONE) == [certificate]
    assert again.devices() == [PHONE]
    verify(again.issue_device(PHONE, new_key()), first.root, "globex.example", clock.now())


def test_files_are_for_their_owner_alone(clock, tmp_path):
    """Directories have mode 0700 and files 0600; with a passphrase no key is on disk in clear."""
    directory = tmp_path / "ca"
    authority = Authority.create("globex.example", clock, directory, "pass phrase", CHEAP)
    authority.issue_device(PHONE, new_key())
    for path in (directory, *directory.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    secrets = (directory / "secrets.json").read_text()
    assert "plain" not in secrets
    assert "pass phrase" not in secrets


@pytest.mark.parametrize(("passphrase", "words"), [(None, "give it"), ("wrong", "does not open")])
def test_sealed_authority_needs_its_passphrase(clock, tmp_path, passphrase, words):
    """A missing or wrong passphrase is refused with a sentence."""
    Authority.create("globex.example", clock, tmp_path / "ca", "right", CHEAP)
    with pytest.raises(AuthorityError, match=words):
        Authority.open(tmp_path / "ca", clock, passphrase)


def test_existing_authority_is_never_overwritten(clock, tmp_path):
    """Creating an authority where one is fails and leaves that one as it is."""
    first = Authority.create("globex.example", clock, tmp_path / "ca")
    with pytest.raises(AuthorityError, match="already"):
        Authority.create("acme.example", clock, tmp_path / "ca")
    assert Authority.open(tmp_path / "ca", clock).root == first.root


def test_missing_authority_is_a_sentence(clock, tmp_path):
    """Opening a directory without authority says to create the tenant first."""
    with pytest.raises(AuthorityError, match="create the tenant first"):
        Authority.open(tmp_path / "ca", clock)


@pytest.mark.parametrize("file", ["root.der", "secrets.json"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff" * 99, b'{"plain": {"key": "", "secret": ""}}'])
def test_damage_is_a_sentence(clock, tmp_path, file, damage):
    """A damaged file is reported as damage, with the advice to restore it."""
    directory = tmp_path / "ca"
    Authority.create("globex.example", clock, directory)
    (directory / file).write_bytes(damage)
    with pytest.raises(AuthorityError, match="damaged"):
        Authority.open(directory, clock)


def test_directory_that_cannot_be_written_is_a_sentence(clock, tmp_path):
    """A path that is a file is refused with a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(AuthorityError, match="cannot be written"):
        Authority.create("globex.example", clock, tmp_path / "file" / "ca")


def test_certificate_says_nothing_but_the_name(globex):
    """The subject is empty and the only name is the URI: nothing else about a person is in a certificate."""
    certificate = globex.issue_device(PHONE, new_key())
    assert list(certificate.subject) == []
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert len(certificate.public_bytes(Encoding.DER)) < 700


def test_secrets_are_not_in_repr(globex):
    """An authority shows its tenant alone."""
    assert repr(globex) == "Authority(globex.example)"


def test_a_revocation_is_kept_before_anybody_is_told(clock, tmp_path):
    """What was revoked is known to the enterprise itself, also when the relay was never reached; the first one counts."""
    authority = Authority.create("globex.example", clock, tmp_path / "ca")
    kept, lost = authority.issue_device(PHONE, new_key()), authority.issue_device(PHONE, new_key())
    signed = authority.revoke(lost, RevocationReason.LOST)
    authority.revoke(lost)

    found = read_certificates(tmp_path / "ca")
    assert set(found.issued) == {kept, lost}
    assert found.revoked == {fingerprint(lost)}
    (file,) = (tmp_path / "ca" / "revoked").iterdir()
    assert file.read_bytes() == signed.model_dump_json().encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["not-hex.json", "abc.json"])
def test_a_file_that_is_no_revocation_is_damage(clock, tmp_path, name):
    """A folder that somebody has put things into is not half believed."""
    Authority.create("globex.example", clock, tmp_path / "ca")
    (tmp_path / "ca" / "revoked").mkdir()
    (tmp_path / "ca" / "revoked" / name).touch()
    with pytest.raises(AuthorityError, match="damaged"):
        read_certificates(tmp_path / "ca")
