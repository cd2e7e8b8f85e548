"""Base64: one way to write each value, so that nobody can make a second form of what was signed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.encoding import decode_base64, encode_base64


@given(st.binary(max_size=100))
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    """Every value comes back."""
    assert decode_base64(encode_base64(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("YQ", id="padding is missing"),
        pytest.param("YQ===", id="too much padding"),
        pytest.param("YR==", id="stray bits in the last character"),
        pytest.param("YWI=\n", id="a line feed"),
        pytest.param(" YWI=", id="a space"),
        pytest.param("YW\nI=", id="a line feed within"),
        pytest.param("YQ==YQ==", id="padding in the middle"),
        pytest.param("-_-_", id="the alphabet of URLs"),
        pytest.param("ÿÿÿÿ", id="not ASCII"),
        pytest.param("A", id="a single character"),
        pytest.param("=", id="padding alone"),
    ],
)
def test_any_other_form_is_malformed(text: str) -> None:
    """What Python's own decoder would let through is refused, too."""
    with pytest.raises(Malformed):
        decode_base64(text)


def test_python_alone_would_take_stray_bits() -> None:
    """Why this module exists: four ways to write one byte."""
    assert {base64.b64decode(text, validate=True) for text in ("YQ==", "YR==", "YS==")} == {b"a"}


@given(st.text(max_size=24) | st.text("ABab01+/=", max_size=24))
def test_one_text_for_each_value(text: str) -> None:
    """Whatever is decoded is the text that encoding gives; the rest is malformed, never another error."""
    try:
        data = decode_base64(text)
    except Malformed:
        return
    assert encode_base64(data) == text
