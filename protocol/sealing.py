"""A sealed stream: any number of bytes for the holder of one key, written and read in bounded memory.

    file  = "BLRSEAL" 0x01 | HPKE( X-Wing key of the recipient, info, content key )     1,168 bytes, RFC 9180, base mode
            | chunk 0 | chunk 1 | ... | the last chunk
    info  = "blindrelay/sealed-stream/1" || 0 || purpose
    chunk = ChaCha20-Poly1305( content key, nonce, 65,536 bytes; the last chunk has 0 to 65,536 )
    nonce = number of the chunk (11 bytes, big endian) || 1 for the last chunk, else 0

HPKE's own interface takes a message whole. So it seals a content key, made for this file and used for nothing else, and the
bytes follow in chunks whose nonces tell place and end: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar: Online
Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, CRYPTO 2015). Chunks that are left out, moved, repeated, cut
off or taken from another file do not open. The suite is that of envelopes: X-Wing, HKDF-SHA256, ChaCha20-Poly1305.

This module only seals. What opens is in the room where keys live: `blindrelay.clients.authority.package`.
"""

import os
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from blindrelay.protocol.errors import Malformed

MAGIC: Final = b"BLRSEAL\x01"
SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
KEY_LENGTH: Final = 32
#: Encapsulated key (1,120), content key, tag.
SEALED_KEY_LENGTH: Final = 1_120 + KEY_LENGTH + 16
TAG: Final = 16
CHUNK: Final = 65_536

_MLKEM_PUBLIC: Final = 1_184
_PUBLIC: Final = _MLKEM_PUBLIC + 32


def sealing_info(purpose: bytes) -> bytes:
    """What binds a sealed stream to what it is for."""
    return b"blindrelay/sealed-stream/1\0" + purpose


def nonce(number: int, *, is_last: bool) -> bytes:
    """Of chunk `number`, from 0."""
    return number.to_bytes(11) + bytes([is_last])


def public_key(raw: bytes) -> MLKEM768X25519PublicKey:
    """An X-Wing public key from its 1,216 bytes; raise `Malformed`."""
    if len(raw) != _PUBLIC:
        raise Malformed(f"an X-Wing public key has {_PUBLIC} bytes, this one {len(raw)}")
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC]),
            X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC:]),
        )
    except ValueError as error:
        raise Malformed("not an X-Wing public key") from error


class Sink(Protocol):
    """Where sealed bytes go: a file that is open for writing bytes."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""


class Sealer:
    """Seals what is written to it into `file`. Without `finish` nothing of it opens as a whole.

    Raises `Malformed` when `recipient` is no X-Wing public key, and whatever writing to `file` raises.
    """

    def __init__(self, file: Sink, recipient: bytes, purpose: bytes) -> None:
        key = os.urandom(KEY_LENGTH)
        self._file = file
        self._cipher = ChaCha20Poly1305(key)
        self._waiting = bytearray()
        self._number = 0
        file.write(MAGIC + SUITE.encrypt(key, public_key(recipient), sealing_info(purpose)))

    def write(self, data: bytes) -> None:
        """Take `data` in. A chunk leaves when it is known that it is not the last."""
        self._waiting += data
        if len(self._waiting) <= CHUNK:
            return
        view = memoryview(self._waiting)
        end = (len(view) - 1) // CHUNK * CHUNK
        for start in range(0, end, CHUNK):
            self._chunk(view[start : start + CHUNK], is_last=False)
        view.release()
        del self._waiting[:end]

    def finish(self) -> None:
        """Write the last chunk."""
        self._chunk(self._waiting, is_last=True)
        self._waiting = bytearray()

    def _chunk(self, data: bytearray | memoryview, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(nonce(self._number, is_last=is_last), data, None))
        self._number += 1
