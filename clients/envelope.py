"""The envelope: what the relay carries and cannot open.

    envelope = HPKE( X-Wing key of the recipient device, info, frame || zeros )           RFC 9180, base mode
    info     = "blindrelay/envelope/1" || 0 || len(recipient) (1 byte) || recipient || message id (16 bytes)

    frame = version 1 (1) | type (1) | sender length (1) | sender | ciphertext length (4) | ciphertext | introduction
    type  = 0 prekey message, 1 normal message, 2 prekey message with an introduction
    introduction = certificate length (2) | DER certificate | body length (2) | statement body
                   | signature length (1) | signature

Numbers are big endian. The zeros fill the envelope to a Padmé bucket (`protocol.sizes`), `MIN_BUCKET` at least. The suite
is X-Wing (ML-KEM-768 with X25519, draft-connolly-cfrg-xwing-kem), HKDF-SHA256, ChaCha20-Poly1305.

HPKE in base mode does not say who sealed: the sender is proved by the Olm ciphertext, whose identity key the sender's
device statement names, which its certificate signs, which its tenant's root vouches for. Recipient and message id are in
`info`: an envelope that is re-addressed, or comes again under another id, does not open.
"""

import struct
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from blindrelay.clients.errors import ContentTooLarge, EnvelopeRejected
from blindrelay.clients.ratchet import NORMAL, PREKEY, OlmMessage
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.sizes import BUCKETS, MAX_ENVELOPE, MESSAGE_ID_LENGTH, padme
from blindrelay.protocol.statements import Signed

VERSION = 1
# A receipt, a sentence and the first message to somebody (with certificate and statement: about 3.5 KB) should differ in
# as few buckets as we can afford; below 2 KiB they would not differ in anything else.
MIN_BUCKET = 2_048
# HPKE: 1,120 bytes of encapsulated key and a tag of 16.
OVERHEAD = 1_136
MLKEM_PUBLIC = 1_184

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_LABEL = b"blindrelay/envelope/1\0"
_HEAD = struct.Struct(">BBB")
_U32 = struct.Struct(">I")
_U16 = struct.Struct(">H")
_INTRODUCED = 2


@dataclass(frozen=True, slots=True)
class Introduction:
    """Who a sender is, for somebody who has never heard of them: nothing of it is proved yet."""

    certificate: bytes
    statement: Signed


@dataclass(frozen=True, slots=True)
class Frame:
    """What is inside the outer seal. `sender` is a claim until the ratchet message decrypts under that sender's key."""

    sender: DeviceAddress
    message: OlmMessage
    introduction: Introduction | None = None


@dataclass(frozen=True, slots=True)
class SealingKeyPair:
    """An X-Wing key pair, kept as seeds: ML-KEM-768 (64 bytes, FIPS 203) and X25519 (32 bytes)."""

    seeds: bytes = field(repr=False)
    public: bytes = field(repr=False)
    _private: MLKEM768X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> "SealingKeyPair":
        """A new pair."""
        mlkem, x25519 = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
        return cls.from_seeds(mlkem.private_bytes_raw() + x25519.private_bytes_raw())

    @classmethod
    def from_seeds(cls, seeds: bytes) -> "SealingKeyPair":
        """The pair whose `seeds` these 96 bytes are."""
        mlkem = MLKEM768PrivateKey.from_seed_bytes(seeds[:64])
        x25519 = X25519PrivateKey.from_private_bytes(seeds[64:])
        public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        return cls(seeds, public, MLKEM768X25519PrivateKey(mlkem, x25519))

    def decrypt(self, sealed: bytes, info: bytes) -> bytes:
        """Open HPKE; raise `InvalidTag` or `ValueError`."""
        return _SUITE.decrypt(sealed, self._private, info)


def seal(frame: Frame, recipient: DeviceAddress, message_id: bytes, sealing_key: bytes) -> bytes:
    """Seal `frame` to the device `recipient` under `message_id`.

    Raises:
        ContentTooLarge: it does not fit into an envelope.
        ValueError: `sealing_key` is not an X-Wing public key (verified contacts have only good ones).
    """
    encoded = _encode(frame)
    needed = len(encoded) + OVERHEAD
    if needed > MAX_ENVELOPE:
        raise ContentTooLarge(f"{needed} bytes do not fit into an envelope of {MAX_ENVELOPE}")
    padded = encoded.ljust(padme(max(needed, MIN_BUCKET)) - OVERHEAD, b"\0")
    return _SUITE.encrypt(padded, _public(sealing_key), _info(recipient, message_id))


def unseal(envelope: bytes, recipient: DeviceAddress, message_id: bytes, keys: tuple[SealingKeyPair, ...]) -> Frame:
    """Open an envelope with the first of `keys` that fits; raise `EnvelopeRejected`, whatever the bytes are."""
    if len(envelope) not in BUCKETS or len(envelope) < MIN_BUCKET or len(message_id) != MESSAGE_ID_LENGTH:
        raise EnvelopeRejected("size", f"{len(envelope)} bytes are not a bucket from {MIN_BUCKET} bytes on")
    info = _info(recipient, message_id)
    for pair in keys:
        try:
            return _decode(pair.decrypt(envelope, info))
        except (InvalidTag, ValueError):
            continue
    raise EnvelopeRejected("seal", "it is not for this device, not under this id, or was altered")


def check_sealing_key(key: bytes) -> None:
    """Raise `ValueError` unless `key` is an X-Wing public key that a secret can be agreed with."""
    _public(key)
    # Refuses points of small order, with which everybody agrees on the same value.
    X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(key[MLKEM_PUBLIC:]))


@lru_cache(maxsize=1_024)
def _public(key: bytes) -> MLKEM768X25519PublicKey:
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(key[:MLKEM_PUBLIC]), X25519PublicKey.from_public_bytes(key[MLKEM_PUBLIC:])
    )


def _info(recipient: DeviceAddress, message_id: bytes) -> bytes:
    name = str(recipient).encode()
    return _LABEL + bytes([len(name)]) + name + message_id


def _encode(frame: Frame) -> bytes:
    sender = str(frame.sender).encode()
    kind = frame.message.type + (_INTRODUCED if frame.introduction else 0)
    body = frame.message.body
    pieces = [_HEAD.pack(VERSION, kind, len(sender)), sender, _U32.pack(len(body)), body]
    if (introduction := frame.introduction) is not None:
        statement = introduction.statement
        pieces += [_U16.pack(len(introduction.certificate)), introduction.certificate]
        pieces += [_U16.pack(len(statement.body)), statement.body]
        pieces += [bytes([len(statement.signature)]), statement.signature]
    return b"".join(pieces)


class _Reader:
    """Takes bytes off the front; raises `EnvelopeRejected` where there are none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, length: int) -> bytes:
        piece = self._data[self._position : self._position + length]
        if len(piece) != length:
            raise EnvelopeRejected("frame", "it is cut off")
        self._position += length
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def rest(self) -> bytes:
        return self._data[self._position :]


def _decode(padded: bytes) -> Frame:
    reader = _Reader(padded)
    version, kind, length = _HEAD.unpack(reader.take(_HEAD.size))
    if version != VERSION:
        raise EnvelopeRejected("frame", f"version {version}: this client understands version {VERSION}; update it")
    if kind not in {PREKEY, NORMAL, PREKEY + _INTRODUCED}:
        raise EnvelopeRejected("frame", f"unknown type {kind}")
    try:
        sender = DeviceAddress.parse(reader.take(length).decode("ascii"))
    except (Malformed, UnicodeDecodeError):
        raise EnvelopeRejected("frame", "the sender is not a device address") from None
    message = OlmMessage(kind & 1, reader.take(reader.number(4)))
    introduction = _decode_introduction(reader) if kind & _INTRODUCED else None
    # Padding that is not zeros would be a channel that nothing checks, and a second form of the same frame.
    if reader.rest().strip(b"\0"):
        raise EnvelopeRejected("padding", "it is not all zeros")
    return Frame(sender, message, introduction)


def _decode_introduction(reader: _Reader) -> Introduction:
    certificate = reader.take(reader.number(2))
    body = reader.take(reader.number(2))
    try:
        return Introduction(certificate, Signed(body=body, signature=reader.take(reader.number(1))))
    except ValueError:
        raise EnvelopeRejected("frame", "the introduction is too long") from None
