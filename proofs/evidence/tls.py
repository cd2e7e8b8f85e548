"""TLS 1.3 (RFC 8446) as somebody sees it who recorded the bytes and was given the clients' secrets afterwards.

A tap records what passes between clients and relay; the clients' key log (the format of NSS, `SSLKEYLOGFILE`) has a line for
each secret of each connection. With both, every record is opened: what was sent, and what a handshake gave away before it was
encrypted. Nothing of this is in the relay's process or in the way of the bytes.
"""

import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256, sha384
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from blindrelay.protocol.errors import Malformed

_HEADER: Final = struct.Struct(">BHH")
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_CLIENT_HELLO, _SERVER_HELLO, _NEW_SESSION_TICKET, _FINISHED, _KEY_UPDATE = 1, 2, 4, 20, 24
_PRE_SHARED_KEY: Final = 41
# Cipher suite -> hash, key length, AEAD (RFC 8446, B.4).
_SUITES: Final[dict[int, tuple[Any, int, Any]]] = {
    0x1301: (sha256, 16, AESGCM),
    0x1302: (sha384, 32, AESGCM),
    0x1303: (sha256, 32, ChaCha20Poly1305),
}


class Unreadable(Malformed):
    """A recorded connection that cannot be opened. The message says why."""


class KeyLog:
    """The secrets of all connections: client random -> label -> secret."""

    def __init__(self, path: Path) -> None:
        self._secrets: dict[bytes, dict[str, bytes]] = {}
        lines = path.read_text("ascii").splitlines() if path.exists() else []
        for label, random, secret in (line.split() for line in lines if not line.startswith("#")):
            self._secrets.setdefault(bytes.fromhex(random), {})[label] = bytes.fromhex(secret)

    def secret(self, random: bytes, label: str) -> bytes:
        """Raise `Unreadable` for a connection that nobody has logged."""
        try:
            return self._secrets[random][label]
        except KeyError:
            raise Unreadable("a connection whose secrets are in nobody's key log") from None


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client says in the clear. `tickets`: identities of pre-shared keys, which are tickets of earlier connections."""

    random: bytes
    tickets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """One connection. `sent`, `answered`: the application's bytes of each record, in order; `tickets`: that the relay gave."""

    hello: ClientHello
    sent: tuple[bytes, ...] = field(repr=False)
    answered: tuple[bytes, ...] = field(repr=False)
    tickets: tuple[bytes, ...] = ()


def open_connection(up: bytes, down: bytes, log: KeyLog) -> Opened:
    """Open what a client sent (`up`) and what came back (`down`).

    Raises `Unreadable`: it is no TLS 1.3, or its secrets are not in the log. What is cut off at the end is left out.
    """
    hello = _client_hello(up)
    suite = _suite(down)
    sent, _ = _open(up, _Keys(suite, log, hello.random, "CLIENT"))
    answered, tickets = _open(down, _Keys(suite, log, hello.random, "SERVER"))
    return Opened(hello, tuple(sent), tuple(answered), tuple(tickets))


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _HEADER.size <= len(data):
        kind, _, length = _HEADER.unpack_from(data, position)
        if not _CHANGE_CIPHER_SPEC <= kind <= _APPLICATION_DATA:
            raise Unreadable(f"bytes that are no TLS record: type {kind}")
        position += _HEADER.size + length
        if position <= len(data):
            yield kind, data[position - length : position]


def _handshake(data: bytes, wanted: int) -> bytes:
    """The first handshake message in the clear."""
    clear = b"".join(body for kind, body in _records(data) if kind == _HANDSHAKE)
    if len(clear) < 4 or clear[0] != wanted:
        raise Unreadable("a connection that does not begin with a TLS handshake")
    return clear[4 : 4 + int.from_bytes(clear[1:4])]


def _client_hello(up: bytes) -> ClientHello:
    body = _handshake(up, _CLIENT_HELLO)
    position = 34
    position += 1 + body[position]  # legacy_session_id
    position += 2 + int.from_bytes(body[position : position + 2])  # cipher_suites
    position += 1 + body[position]  # legacy_compression_methods
    position += 2
    tickets: tuple[bytes, ...] = ()
    while position + 4 <= len(body):
        kind, length = struct.unpack_from(">HH", body, position)
        if kind == _PRE_SHARED_KEY:
            tickets = tuple(_identities(body[position + 4 : position + 4 + length]))
        position += 4 + length
    return ClientHello(body[2:34], tickets)


def _identities(extension: bytes) -> Iterator[bytes]:
    end, position = 2 + int.from_bytes(extension[:2]), 2
    while position < end:
        length = int.from_bytes(extension[position : position + 2])
        yield extension[position + 2 : position + 2 + length]
        position += 2 + length + 4  # obfuscated_ticket_age


def _suite(down: bytes) -> tuple[Any, int, Any]:
    body = _handshake(down, _SERVER_HELLO)
    position = 34 + 1 + body[34]
    number = int.from_bytes(body[position : position + 2])
    if number not in _SUITES:
        raise Unreadable(f"cipher suite {number:#06x} is none of TLS 1.3's")
    return _SUITES[number]


class _Keys:
    """The keys of one direction: of the handshake first, then of the application's data."""

    def __init__(self, suite: tuple[Any, int, Any], log: KeyLog, random: bytes, side: str) -> None:
        self._hash, self._length, self._aead = suite
        self._next = log.secret(random, f"{side}_TRAFFIC_SECRET_0")
        self._use(log.secret(random, f"{side}_HANDSHAKE_TRAFFIC_SECRET"))

    def _use(self, secret: bytes) -> None:
        self._secret = secret
        self._cipher = self._aead(self._expand(secret, b"key", self._length))
        self._iv = int.from_bytes(self._expand(secret, b"iv", 12))
        self._number = 0

    def advance(self) -> None:
        """Finished has passed: from here on the application's keys."""
        self._use(self._next)

    def update(self) -> None:
        """KeyUpdate has passed (RFC 8446, 7.2)."""
        self._use(self._expand(self._secret, b"traffic upd", self._hash().digest_size))

    def open(self, body: bytes) -> tuple[int, bytes]:
        """Content type and content of a record; raise `Unreadable`."""
        nonce = (self._iv ^ self._number).to_bytes(12)
        header = _HEADER.pack(_APPLICATION_DATA, 0x0303, len(body))
        try:
            inner = self._cipher.decrypt(nonce, body, header).rstrip(b"\0")
        except InvalidTag:
            raise Unreadable("a record that the logged secrets do not open") from None
        self._number += 1
        return inner[-1], inner[:-1]

    def _expand(self, secret: bytes, label: bytes, length: int) -> bytes:
        """HKDF-Expand-Label with an empty context (RFC 8446, 7.1); no label here needs more than one block."""
        name = b"tls13 " + label
        info = struct.pack(">HB", length, len(name)) + name + b"\0"
        return hmac.digest(secret, info + b"\x01", self._hash().name)[:length]


def _open(data: bytes, keys: _Keys) -> tuple[list[bytes], list[bytes]]:
    """The application's bytes, and the tickets on the way."""
    found: list[bytes] = []
    tickets: list[bytes] = []
    waiting = b""
    for outer, body in _records(data):
        if outer != _APPLICATION_DATA:
            continue
        kind, content = keys.open(body)
        if kind == _APPLICATION_DATA:
            found.append(content)
        elif kind == _HANDSHAKE:
            waiting += content
            while len(waiting) >= 4 and len(waiting) >= (end := 4 + int.from_bytes(waiting[1:4])):
                message, waiting = waiting[:end], waiting[end:]
                if message[0] == _FINISHED:
                    keys.advance()
                elif message[0] == _KEY_UPDATE:
                    keys.update()
                elif message[0] == _NEW_SESSION_TICKET:
                    tickets.append(_ticket(message[4:]))
    return found, tickets


def _ticket(body: bytes) -> bytes:
    position = 8 + 1 + body[8]  # lifetime, age_add, nonce
    length = int.from_bytes(body[position : position + 2])
    return body[position + 2 : position + 2 + length]
