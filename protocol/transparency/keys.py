"""Ed25519 keys of logs and witnesses, and how they are written (https://c2sp.org/signed-note#verifier-keys)."""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.encoding import decode_base64, encode_base64

PUBLIC_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64
_PRIVATE: Final = "PRIVATE+KEY+"
_NAME: Final = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]{1,255}")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)

_P: Final = 2**255 - 19
_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
#: The y of the eight points whose order divides 8. Under such a key one signature fits many texts, or all.
_SMALL_ORDER: Final = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})


class Algorithm(IntEnum):
    """The first byte of an encoded key: what its signatures are over."""

    ED25519 = 0x01  # the text of a note
    COSIGNATURE = 0x04  # a checkpoint and a time: https://c2sp.org/tlog-cosignature


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name of whoever has the private one. `str()` is its form in files.

    Raises:
        Malformed: the name or the key is of another form, or the key is one that binds nobody.
    """

    name: str
    algorithm: Algorithm
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Malformed(f"{self.name[:80]!r} is no key's name: expected one without spaces and plus signs")
        if len(self.public) != PUBLIC_LENGTH:
            raise Malformed(f"an Ed25519 public key has {PUBLIC_LENGTH} bytes, and not {len(self.public)}")
        y = int.from_bytes(self.public, "little") & ~(1 << 255)
        if y >= _P or y in _SMALL_ORDER:
            raise Malformed(f"the public key of {self.name!r} is a point of small order, or not written in its one way")

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
        if text.lstrip().startswith(_PRIVATE):
            raise Malformed("this is a private key, and should not have come here: expected a verifier key")
        try:
            algorithm, public = _split(encoded)
            key = cls(name, algorithm, public)
        except Malformed as error:
            raise Malformed(
                f"{text[:80]!r} is no verifier key ({error}): expected <name>+<8 hex digits>+<base64>"
            ) from error
        if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != key.key_id:
            raise Malformed(f"{text[:80]!r} is no verifier key: its key id should be {key.key_id.hex()}")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(self._encoded)}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether an Ed25519 signature is this key's, over this message (RFC 8032)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, its name, and what it signs. Its `repr` and `str` show the public half alone."""

    name: str
    algorithm: Algorithm
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, name: str, algorithm: Algorithm = Algorithm.ED25519) -> Self:
        """A new one. Raises `Malformed` for a name that no key can have."""
        key = cls(name, algorithm, Ed25519PrivateKey.generate())
        _ = key.verifier  # which checks the name
        return key

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `encode` wrote. Raises `Malformed`, which never quotes the text."""
        prefix, name_and_id, encoded = _parts(text.strip())
        try:
            algorithm, seed = _split(encoded)
            key = cls(name_and_id.partition("+")[0], algorithm, Ed25519PrivateKey.from_private_bytes(seed))
            named = f"{key.name}+{key.verifier.key_id.hex()}"
        except ValueError:  # of cryptography, for another length, too
            named = ""
        if prefix != _PRIVATE or not named or named != name_and_id:
            raise Malformed(f"this is no private key of a log or witness: expected {_PRIVATE}<name>+<key id>+<base64>")
        return key

    def encode(self) -> str:
        """`PRIVATE+KEY+<name>+<key id>+<base64 of algorithm and seed>`, as golang.org/x/mod/sumdb/note has it.

        The key id is the public key's. Whoever reads this can sign: it belongs into a file that its owner alone can read.
        """
        encoded = encode_base64(bytes([self.algorithm]) + self.private.private_bytes_raw())
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded}"

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.algorithm, self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.private.sign(message)


def _split(encoded: str) -> tuple[Algorithm, bytes]:
    """Algorithm and key. Raises `Malformed`."""
    data = decode_base64(encoded)
    if not data or data[0] not in list(Algorithm):
        raise Malformed("its algorithm is none of " + ", ".join(f"{known:#04x}" for known in Algorithm))
    return Algorithm(data[0]), data[1:]


def _parts(text: str) -> tuple[str, str, str]:
    """Of a private key: the prefix, name and key id, base64 (which may itself have plus signs)."""
    name, _, rest = text.removeprefix(_PRIVATE).partition("+")
    key_id, _, encoded = rest.partition("+")
    return text[: len(_PRIVATE)], f"{name}+{key_id}", encoded
