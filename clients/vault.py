"""The cryptography of the key store: a data key wrapped by a passphrase, values sealed under it, row keys hidden by it.

    passphrase --argon2id (RFC 9106)--> wrapping key --ChaCha20-Poly1305--> data key
    data key --HKDF-SHA256 (RFC 5869)--> one value key per table, the row key, the pickle key

A value is sealed with a random nonce and bound to its table and row, so that it cannot be moved to another place. Random
96 bit nonces are good for 2**32 values under one key (NIST SP 800-38D, 8.3): a key per table leaves that far away.
"""

import hmac
import os
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, ValidationError

from blindrelay.clients.errors import StoreDamaged, WrongPassphrase
from blindrelay.protocol.statements import Key32, Wire

_NONCE = 12
_TAG = 16
_ROW = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """What deriving the key from the passphrase costs whoever tries: argon2id, `memory` in KiB.

    The default is the second recommended option of RFC 9106, section 4 (64 MiB, three passes): about 0.1 s on a laptop.
    """

    memory: int = 65_536
    iterations: int = 3
    lanes: int = 4


#: The least that argon2id allows. For tests, and for stores under a random passphrase.
CHEAP = Cost(memory=8, iterations=1, lanes=1)


class Header(Wire):
    """What is needed to get from the passphrase to the data key. Stored in clear: none of it is secret.

    The bounds keep an altered file from making us allocate the whole machine before the tag is checked.
    """

    memory: int = Field(ge=8, le=2_097_152)
    iterations: int = Field(ge=1, le=64)
    lanes: int = Field(ge=1, le=64)
    salt: bytes = Field(min_length=16, max_length=16)
    wrapped: bytes = Field(min_length=_NONCE + 32 + _TAG, max_length=_NONCE + 32 + _TAG)

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Raise `StoreDamaged` for anything that is not a header."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            raise StoreDamaged("the key store's header is damaged: restore the file from a backup") from None


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens values under one data key."""

    _data_key: Key32 = field(repr=False)
    _row_key: bytes = field(repr=False)
    _values: dict[str, ChaCha20Poly1305] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, data_key: bytes) -> Self:
        """The vault under `data_key` (32 bytes)."""
        return cls(data_key, _derive(data_key, "rows"))

    @classmethod
    def new(cls) -> Self:
        """A vault under a fresh random key."""
        return cls.of(ChaCha20Poly1305.generate_key())

    @classmethod
    def unlock(cls, header: Header, passphrase: str) -> Self:
        """Open the vault behind `header`; raise `WrongPassphrase`."""
        cost = Cost(header.memory, header.iterations, header.lanes)
        wrapping = ChaCha20Poly1305(_stretch(passphrase, header.salt, cost))
        try:
            data_key = wrapping.decrypt(header.wrapped[:_NONCE], header.wrapped[_NONCE:], header.salt)
        except InvalidTag:
            raise WrongPassphrase("the passphrase does not open this key store: check it and try again") from None
        return cls.of(data_key)

    def lock(self, passphrase: str, cost: Cost) -> Header:
        """A header from which `unlock` with `passphrase` gets back to this vault."""
        salt, nonce = os.urandom(16), os.urandom(_NONCE)
        wrapped = nonce + ChaCha20Poly1305(_stretch(passphrase, salt, cost)).encrypt(nonce, self._data_key, salt)
        return Header(memory=cost.memory, iterations=cost.iterations, lanes=cost.lanes, salt=salt, wrapped=wrapped)

    def key(self, purpose: str) -> bytes:
        """32 bytes for another consumer (the pickles of the ratchet), independent of all other keys."""
        return _derive(self._data_key, f"use/{purpose}")

    def row(self, table: str, key: bytes) -> bytes:
        """What stands in the file for `key`: the same each time, and silent about it."""
        return hmac.digest(self._row_key, table.encode() + b"\0" + key, "sha256")[:_ROW]

    def seal(self, table: str, row: bytes, value: bytes) -> bytes:
        """Encrypt `value` for that row of that table."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(table).encrypt(nonce, value, row)

    def open(self, table: str, row: bytes, sealed: bytes) -> bytes:
        """Decrypt what `seal` made for the same place; raise `StoreDamaged`."""
        try:
            return self._cipher(table).decrypt(sealed[:_NONCE], sealed[_NONCE:], row)
        except (InvalidTag, ValueError):
            raise StoreDamaged(
                f"a value of the table {table!r} was altered outside this program: restore the key store from a backup"
            ) from None

    def _cipher(self, table: str) -> ChaCha20Poly1305:
        cipher = self._values.get(table)
        if cipher is None:
            cipher = self._values[table] = ChaCha20Poly1305(_derive(self._data_key, f"values/{table}"))
        return cipher


def _derive(data_key: bytes, label: str) -> bytes:
    info = b"blindrelay/keystore/1/" + label.encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(data_key)


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    return Argon2id(salt=salt, length=32, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory).derive(
        passphrase.encode()
    )
