"""What is in a sealed package, whatever it is: opened with the authority's key, and nothing of it taken for granted.

The authority's own client shows nothing of a package that is not as it should be. Here that is what is wanted.
"""

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from blindrelay.clients.envelope import SealingKeyPair
from blindrelay.policies.package import FRAME, PURPOSE, FileName
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.sealing import CHUNK, MAGIC, SEALED_KEY_LENGTH, TAG, nonce, sealing_info

_HEAD: Final = len(MAGIC) + SEALED_KEY_LENGTH
_NAMES: Final = dict(enumerate(name.value for name in FileName))


class NotAPackage(Malformed):
    """It is not a sealed stream for this key, or not made of frames."""


def unseal(path: Path, seeds: bytes) -> bytes:
    """Every byte that was sealed. Raises `NotAPackage`, `OSError`."""
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise NotAPackage(f"{path.name} does not begin as a sealed stream does")
    try:
        key = SealingKeyPair.from_seeds(seeds).decrypt(data[len(MAGIC) : _HEAD], sealing_info(PURPOSE))
        return opened(data, key)
    except (InvalidTag, ValueError):
        raise NotAPackage(f"{path.name} is not sealed to this authority, or was altered") from None


def opened(data: bytes, key: bytes) -> bytes:
    """The same with the stream's own content key; raise `InvalidTag`."""
    cipher, plain = ChaCha20Poly1305(key), b""
    for number, start in enumerate(range(_HEAD, len(data), CHUNK + TAG)):
        chunk = data[start : start + CHUNK + TAG]
        is_last = start + CHUNK + TAG >= len(data)
        plain += cipher.decrypt(nonce(number, is_last=is_last), chunk, None)
    return plain


def files(plain: bytes) -> dict[str, bytes]:
    """The files in a package by name; one of an unknown number is called `file N`. Raises `NotAPackage`."""
    found: dict[str, bytes] = {}
    position = 0
    while position < len(plain):
        if position + FRAME.size > len(plain):
            raise NotAPackage("a package that ends within a frame")
        number, length = FRAME.unpack_from(plain, position)
        position += FRAME.size + length
        if position > len(plain):
            raise NotAPackage("a package that ends within a frame")
        name = _NAMES.get(number, f"file {number}")
        found[name] = found.get(name, b"") + plain[position - length : position]
    return found
