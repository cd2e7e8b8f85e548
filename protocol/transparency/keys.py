"""Ed25519 keys of logs and witnesses, and how they are written (https://c2sp.org/signed-note#verifier-keys)."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from blindrelay.protocol.errors import Malformed

PUBLIC_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64
_NAME: Final = re.compile(r"[^\s+\x00-\x1f]{1,255}")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class Algorithm(IntEnum):
    """The first byte of an encoded key: what its signatures are over."""

    ED25519 = 0x01  # the text of a note
    COSIGNATURE = 0x04  # a checkpoint and a time: https://c2sp.org/tlog-cosignature


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name of whoever has the private one. `str()` is its form in files.

    Raises:
        Malformed: the name or the key is of another form.
    """

    name: str
    algorithm: Algorithm
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Malformed(f"{self.name[:80]!r} is no key's name: expected one without spaces and plus signs")
        if len(self.public) != PUBLIC_LENGTH:
            raise Malformed(f"an Ed25519 public key has {PUBLIC_LENGTH} bytes, and not {len(self.public)}")

    @property
    def key_id(self) -> bytes:
        """Four bytes that signatures name it by. Others may have the same: they prove nothing."""
        return sha256(self.name.encode() + b"\n" + self._encoded).digest()[:4]

    @property
    def _encoded(self) -> bytes:
        return bytes([self.algorithm]) + self.public

    @classmethod
    def parse(cls, text: str) -> Self:
        """`<name>+<key id>+<base64 of algorithm and key>`. Raises `Malformed`."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            data = base64.b64decode(encoded, validate=True)
            key = cls(name, Algorithm(data[0]), data[1:])
        except (binascii.Error, ValueError, IndexError) as error:
            raise Malformed(f"{text[:80]!r} is no verifier key: expected <name>+<8 hex digits>+<base64>") from error
        if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != key.key_id:
            raise Malformed(f"{text[:80]!r} is no verifier key: its key id should be {key.key_id.hex()}")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self._encoded).decode()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether an Ed25519 signature is this key's, over this message (RFC 8032)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, its name, and what it signs. Its `repr` shows the public half alone."""

    name: str
    algorithm: Algorithm
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, name: str, algorithm: Algorithm = Algorithm.ED25519) -> Self:
        """A new one."""
        return cls(name, algorithm, Ed25519PrivateKey.generate())

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.algorithm, self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.private.sign(message)
