"""The same chance in both worlds.

What is drawn is drawn from a stream of its own for each function that draws, seeded; ECDSA is deterministic (RFC 6979). What
OpenSSL and the ratchet draw by themselves is in ciphertexts alone, and those are not compared.
"""

import functools
import os
import random
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from types import FrameType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import Suite

from blindrelay.protocol import sealing


class Streams:
    """Random bytes by who asks for them: the n-th call of a function gets the same in every world of the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._calls: dict[str, int] = {}

    def urandom(self, size: int) -> bytes:
        """In place of `os.urandom`."""
        name = _caller()
        number = self._calls[name] = self._calls.get(name, 0) + 1
        found, block = b"", 0
        while len(found) < size:
            found += sha256(f"{self._seed}/{name}/{number}/{block}".encode()).digest()
            block += 1
        return found[:size]


def _caller() -> str:
    """The nearest function of ours, by module and name."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("blindrelay.") and module != __name__:
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "somebody"


@contextmanager
def same(seed: int) -> Iterator[None]:
    """Inside, chance is that of `seed`, in this process and all of its threads."""
    streams = Streams(seed)
    plain = (os.urandom, random._urandom, ec.ECDSA, sealing.SUITE, secrets.randbits)  # type: ignore[attr-defined]
    os.urandom = streams.urandom
    random._urandom = streams.urandom  # type: ignore[attr-defined]
    ec.ECDSA = functools.partial(ec.ECDSA, deterministic_signing=True)  # type: ignore[misc, assignment]
    vars(sealing)["SUITE"] = _Fixed(sealing.SUITE)
    try:
        yield
    finally:
        os.urandom, random._urandom, ec.ECDSA = plain[:3]  # type: ignore[attr-defined, misc]
        vars(sealing)["SUITE"] = plain[3]


class _Fixed:
    """Leaves a package's content key as it is, so that a package is the same file in both worlds, and can be opened."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite

    def encrypt(self, plaintext: bytes, public_key: Any, info: bytes = b"") -> bytes:
        """As long as what the real one gives."""
        return plaintext.rjust(len(self._suite.encrypt(plaintext, public_key, info=info)), b"\0")


def content_key(package: bytes) -> bytes:
    """Of a package that was made with this chance."""
    return package[len(sealing.MAGIC) : len(sealing.MAGIC) + sealing.SEALED_KEY_LENGTH][-sealing.KEY_LENGTH :]
