"""Signed bodies: nothing is believed before its signature, and no signature serves two purposes."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose, Signed

KEY = ec.generate_private_key(ec.SECP256R1())
PREKEY = Prekey(device=DeviceAddress("acme.example", "alice", "laptop"), kind="one-time", key=b"k" * 32)
SIGNED = Signed.create(Purpose.PREKEY, PREKEY, KEY)


def test_what_was_signed_is_what_is_read() -> None:
    """Signing and opening are inverse, also over the wire."""
    arrived = Signed.model_validate_json(SIGNED.model_dump_json())

    assert arrived.open_as(Purpose.PREKEY, Prekey, KEY.public_key()) == PREKEY


def test_a_signature_serves_one_purpose() -> None:
    """A prekey's signature does not verify as that of a statement or a revocation."""
    for purpose in set(Purpose) - {Purpose.PREKEY}:
        with pytest.raises(VerificationFailed) as caught:
            SIGNED.open_as(purpose, Prekey, KEY.public_key())
        assert caught.value.check == purpose.value


def test_another_key_does_not_verify() -> None:
    """Only the signer's key opens it."""
    with pytest.raises(VerificationFailed):
        SIGNED.open_as(Purpose.PREKEY, Prekey, ec.generate_private_key(ec.SECP256R1()).public_key())


@given(st.integers(0, len(SIGNED.body) - 1), st.integers(1, 255))
def test_one_changed_byte_is_noticed(position: int, flip: int) -> None:
    """Whichever byte of the body is changed, nothing is parsed."""
    body = bytearray(SIGNED.body)
    body[position] ^= flip

    with pytest.raises(VerificationFailed):
        Signed(body=bytes(body), signature=SIGNED.signature).open_as(Purpose.PREKEY, Prekey, KEY.public_key())


def test_well_signed_nonsense_is_malformed() -> None:
    """A valid signature over something else than was expected is an error of form, and says so."""
    with pytest.raises(Malformed, match="prekey"):
        SIGNED.open_as(Purpose.PREKEY, DeviceStatement, KEY.public_key())


@pytest.mark.parametrize("change", [{"key": b"short"}, {"kind": "eternal"}, {"note": "free text"}])
def test_models_are_closed(change: dict[str, object]) -> None:
    """A wrong length, an unknown word and an unknown field are refused."""
    with pytest.raises(ValidationError):
        Prekey.model_validate(PREKEY.model_dump() | change)
