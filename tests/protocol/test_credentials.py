"""Delivery tokens."""

import pytest

from blindrelay.protocol.credentials import DeliveryToken, token_matches
from blindrelay.protocol.errors import Malformed


def test_a_token_does_not_show_itself() -> None:
    """Neither repr nor str of a token holds its value."""
    token = DeliveryToken(b"\x42" * 32)

    assert repr(token) == str(token) == "DeliveryToken()"


def test_a_token_is_checked_against_its_verifier() -> None:
    """The right token matches; another, an empty and a truncated one do not (S8)."""
    token = DeliveryToken(bytes(range(32)))

    assert token_matches(token.value, token.verifier)
    for wrong in (b"", b"\0" * 32, token.value[:-1], token.verifier):
        assert not token_matches(wrong, token.verifier)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_token_has_32_bytes(length: int) -> None:
    """Anything else is no token."""
    with pytest.raises(Malformed, match="32 bytes"):
        DeliveryToken(b"x" * length)
