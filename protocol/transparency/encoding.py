"""Base64 (RFC 4648, section 4) in the one way that each value has: what is signed or hashed must not be writable in two."""

import base64
import binascii

from blindrelay.protocol.errors import Malformed


def encode_base64(data: bytes) -> str:
    """With padding, on one line."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """What `encode_base64` made `text` of.

    Raises:
        Malformed: it made `text` of nothing. Python alone takes the bits behind the last byte whatever they are.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or encode_base64(data) != text:
        # Without the text, which may be of a private key; and without the cause, which says less than this.
        raise Malformed("expected base64 with padding, without spaces and stray bits")
    return data
