"""The certificate profile, from its failures (class S9)."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from blindrelay.protocol import certificates
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.certificates import AdministratorAddress, check_root, verify
from blindrelay.protocol.errors import Malformed, VerificationFailed

LAPTOP = "blindrelay:acme.example/alice/laptop"
NOW = 1_800_000_000

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def acme(authority: Make) -> Any:
    """Acme's CA."""
    return authority("acme.example")


def test_a_device_certificate_names_its_device(acme: Any) -> None:
    """A certificate that the tenant's root issued is good, and says for whom."""
    assert verify(acme.issue(LAPTOP), acme.root, "acme.example", NOW) == DeviceAddress(
        "acme.example", "alice", "laptop"
    )


def test_an_administrator_certificate_names_the_tenant(acme: Any) -> None:
    """A URI with the tenant alone is the tenant's administration."""
    certificate = acme.issue("blindrelay:acme.example")

    assert verify(certificate, acme.root, "acme.example", NOW) == AdministratorAddress("acme.example")


def test_one_tenant_cannot_issue_for_another(acme: Any, authority: Make) -> None:
    """Globex's CA with Acme's name in the certificate is refused, whichever root it is checked against (S9)."""
    globex = authority("globex.example")
    forged = globex.issue(LAPTOP)

    with pytest.raises(VerificationFailed) as caught:
        verify(forged, acme.root, "acme.example", NOW)
    assert caught.value.check == "chain"
    with pytest.raises(VerificationFailed) as caught:
        verify(forged, globex.root, "globex.example", NOW)
    assert caught.value.check == "tenant"


@pytest.mark.parametrize("at", [NOW - 61, NOW + 3601])
def test_validity_has_two_ends(acme: Any, at: int) -> None:
    """Before its first and after its last second a certificate is nothing (RFC 5280, 4.1.2.5)."""
    with pytest.raises(VerificationFailed, match="chain"):
        verify(acme.issue(LAPTOP), acme.root, "acme.example", at)


def test_a_server_certificate_is_no_device(acme: Any) -> None:
    """Without the purpose of client authentication a certificate does not authenticate a client."""
    certificate = acme.issue(LAPTOP, purposes=[ExtendedKeyUsageOID.SERVER_AUTH])

    with pytest.raises(VerificationFailed, match="chain"):
        verify(certificate, acme.root, "acme.example", NOW)


def test_a_device_cannot_issue(acme: Any) -> None:
    """A certificate issued with a device's key does not chain to the root: there are no intermediates."""
    key = ec.generate_private_key(ec.SECP256R1())
    laptop = acme.issue(LAPTOP, key=key)
    below = type(acme)(laptop, key).issue("blindrelay:acme.example/mallory/laptop")

    with pytest.raises(VerificationFailed, match="chain"):
        verify(below, acme.root, "acme.example", NOW)


@pytest.mark.parametrize(
    "uris",
    [
        [],
        [LAPTOP, "blindrelay:acme.example/bob/phone"],
        ["https://acme.example/alice"],
        ["blindrelay:"],
        ["blindrelay:acme.example/+/laptop"],
        ["blindrelay:acme.example/alice/laptop/x"],
    ],
)
def test_exactly_one_name_of_ours(acme: Any, uris: list[str]) -> None:
    """No name, two names, a foreign URI or a name with pattern characters is refused (S3, S9)."""
    with pytest.raises(Malformed):
        verify(acme.issue(*uris), acme.root, "acme.example", NOW)


def test_a_dns_name_beside_ours_is_refused(acme: Any) -> None:
    """One name means one name of any kind."""
    with pytest.raises(Malformed, match="exactly one"):
        verify(acme.issue(LAPTOP, names=[x509.DNSName("acme.example")]), acme.root, "acme.example", NOW)


def test_only_p256_keys(acme: Any) -> None:
    """Another curve is outside the profile."""
    certificate = acme.issue(LAPTOP, key=ec.generate_private_key(ec.SECP384R1()))

    with pytest.raises(VerificationFailed, match="P-256"):
        verify(certificate, acme.root, "acme.example", NOW)


def test_a_root_is_fit_for_its_tenant(acme: Any, authority: Make) -> None:
    """A root has the tenant's name, a P-256 key, its own signature, and issues no authorities."""
    check_root(acme.root, "acme.example")
    for root, tenant in [
        (acme.root, "globex.example"),
        (authority("acme.example", path_length=None).root, "acme.example"),
        (authority("acme.example", curve=ec.SECP384R1()).root, "acme.example"),
        (acme.issue(LAPTOP), "acme.example"),
    ]:
        with pytest.raises(VerificationFailed):
            check_root(root, tenant)


def test_a_root_with_a_forged_signature_is_refused(acme: Any) -> None:
    """The self-signature is verified: it proves that who registers the root holds its key."""
    der = bytearray(acme.root.public_bytes(Encoding.DER))
    der[-1] ^= 1

    with pytest.raises(VerificationFailed, match="root"):
        check_root(certificates.load(bytes(der)), "acme.example")


@pytest.mark.parametrize("der", [b"", b"\x30", b"-----BEGIN CERTIFICATE-----", b"\x30\x82" + b"\xff" * 600])
def test_bytes_that_are_no_certificate(der: bytes) -> None:
    """Garbage is malformed, not a traceback."""
    with pytest.raises(Malformed, match="DER"):
        certificates.load(der)
