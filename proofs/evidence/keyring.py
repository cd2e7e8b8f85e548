"""Every key that a relay holds, tried on everything that it holds: encryption at rest hides nothing from whoever has its disk.

Keys are what the files of the data directory hold, as they are and through SHA-256: raw, in PEM, hex or Base64. Each is tried
as a key of AES-GCM and ChaCha20-Poly1305 with the nonce in front, and as a repeating XOR; whatever could be the seeds of a
sealing key is kept for who wants to try it on envelopes. Values in databases that are as long as a key are thousands, digests
most of them: they are tried on samples, and one that opens something is a key like the others from then on.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_MAX_KEY_FILE: Final = 8_192
#: A file that is a passphrase, or a key in text, has no more.
_MAX_PASSPHRASE: Final = 512
_NONCE: Final = 12
_TAG: Final = 16
_KEY_LENGTHS: Final = frozenset({16, 24, 32})
_SEALING_SEEDS: Final = 96


class Keyring:
    """The keys that were found in `files`. `tried` counts attempts, `considered` keys of databases."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.considered = 0
        #: Secret -> the file that it is in.
        self.secrets: dict[bytes, str] = {}
        derived: dict[bytes, str] = {}
        for path in files:
            if path.is_file() and path.stat().st_size <= _MAX_KEY_FILE:
                for secret in _secrets(path.read_bytes()):
                    if len(secret) in _KEY_LENGTHS | {_SEALING_SEEDS}:
                        self.secrets.setdefault(secret, path.name)
                    if len(secret) <= _MAX_PASSPHRASE:
                        derived.setdefault(sha256(secret).digest(), path.name)
        self.tried = 0
        self._ciphers = [
            (name, cipher)
            for secret, name in (derived | self.secrets).items()
            if len(secret) in _KEY_LENGTHS
            for cipher in _ciphers(secret)
        ]

    def consider(self, values: Iterable[bytes], samples: Iterable[bytes]) -> None:
        """Take the keys among `values` of databases that open one of `samples`."""
        samples = [each for each in samples if len(each) > _NONCE + _TAG]
        known = set(self.secrets)
        for secret in dict.fromkeys(secret for value in values for secret in _secrets(value)):
            if len(secret) not in _KEY_LENGTHS or secret in known:
                continue
            self.considered += 1
            for cipher in _ciphers(secret):
                if any(_opened(cipher, sample) is not None for sample in samples):
                    self._ciphers.append(("key in a database", cipher))

    def open(self, sealed: bytes) -> Iterator[tuple[str, bytes]]:
        """What some bytes become with any of the keys; the name says with the key of which file."""
        # With and without the zeros that a column may be filled up with.
        for whole in {sealed, sealed.rstrip(b"\0")}:
            if len(whole) > _NONCE + _TAG:
                for name, cipher in self._ciphers:
                    self.tried += 1
                    if (opened := _opened(cipher, whole)) is not None:
                        yield name, opened
        for secret, name in self.secrets.items():
            if len(secret) in _KEY_LENGTHS:
                self.tried += 1
                yield name, _xor(sealed, secret)

    @property
    def sealing_seeds(self) -> list[tuple[str, bytes]]:
        """What could be the seeds of an X-Wing key pair."""
        return [(name, secret) for secret, name in self.secrets.items() if len(secret) == _SEALING_SEEDS]


def _opened(cipher: Any, sealed: bytes) -> bytes | None:
    try:
        return bytes(cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None))
    except InvalidTag:
        return None


def _ciphers(secret: bytes) -> Iterator[Any]:
    yield AESGCM(secret)
    if len(secret) == 32:
        yield ChaCha20Poly1305(secret)


def _secrets(data: bytes) -> Iterator[bytes]:
    yield data
    text = data.strip()
    yield text
    for decode in (bytes.fromhex, _base64):
        try:
            yield decode(text.decode("ascii"))
        except (ValueError, binascii.Error):
            continue
    if b"-----BEGIN" not in data:
        return
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError):
        return
    if isinstance(key, ec.EllipticCurvePrivateKey):
        yield key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8)


def _base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _xor(data: bytes, key: bytes) -> bytes:
    mask = (key * (len(data) // len(key) + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(mask)).to_bytes(len(data))
