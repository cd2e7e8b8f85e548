"""The double ratchet between two devices: `vodozemac` does it, this module keeps its state in the key store.

Every pair of devices has up to `MAX_SESSIONS` sessions: both may start one at the same time, and one that was lost is
replaced. Whatever session decrypted last is the one that is written with, so that the two sides settle on one that both
have. State is read and written per message, in the caller's transaction: what is rolled back was never used.

Source: the Olm specification (matrix.org), and the Double Ratchet and X3DH specifications of Signal that it follows.
"""

import struct
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Protocol, cast

from vodozemac import (
    Account,
    AnyOlmMessage,
    Curve25519PublicKey,
    DecodeException,
    KeyException,
    OlmDecryptionException,
    PickleException,
    PreKeyMessage,
    Session,
    SessionCreationException,
)

from blindrelay.clients.errors import IdentityRejected, RatchetRejected, StoreDamaged
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.protocol.address import DeviceAddress

# Simultaneous starts leave two sessions; a few more cover lost messages. Each is tried for each message that the first
# does not decrypt, so the number bounds what a forged message costs.
MAX_SESSIONS = 5

PREKEY, NORMAL = 0, 1

_LENGTH = struct.Struct(">I")
_ACCOUNT = "account"


class _FallbackAccount(Protocol):
    """The part of `vodozemac.Account` that version 0.10 has at run time and its type stubs lack."""

    @property
    def fallback_key(self) -> dict[str, Curve25519PublicKey]:
        """The fallback key that is not marked as published yet."""

    def generate_fallback_key(self) -> None:
        """Make a new one; the one before it still works, the one before that does not any more."""


@dataclass(frozen=True, slots=True)
class OlmMessage:
    """What goes from ratchet to ratchet: type `PREKEY` (starts a session) or `NORMAL`."""

    type: int
    body: bytes = field(repr=False)


class Ratchet:
    """The sessions of one device with all others."""

    def __init__(self, store: KeyStore) -> None:
        """Load the account from `store`, or make one there."""
        self._store = store
        self._pickle_key = store.key("olm")
        self._epoch = store.epoch
        if store.get(Space.ACCOUNT, _ACCOUNT) is None:
            self._account = Account()
            self._keep_account()
        else:
            self._account = self._load_account()

    @property
    def identity_key(self) -> bytes:
        """The device's Olm identity key (Curve25519, 32 bytes)."""
        return self._account.curve25519_key.to_bytes()

    @property
    def signing_key(self) -> bytes:
        """The device's Olm fingerprint key (Ed25519, 32 bytes)."""
        return b64decode(self._account.ed25519_key.to_base64() + "=")

    # ---- prekeys

    def one_time_prekeys(self, count: int) -> list[bytes]:
        """Make `count` new one-time keys (50 at most) and return their public halves: they are to be published."""
        account = self._current()
        account.generate_one_time_keys(min(count, account.max_number_of_one_time_keys))
        keys = [key.to_bytes() for key in account.one_time_keys.values()]
        account.mark_keys_as_published()
        self._keep_account()
        return keys

    def fallback_prekey(self) -> bytes:
        """Make a new fallback key and return its public half. The one before it still works until the next call."""
        account = cast(_FallbackAccount, self._current())
        account.generate_fallback_key()
        (key,) = account.fallback_key.values()
        self._account.mark_keys_as_published()
        self._keep_account()
        return key.to_bytes()

    # ---- sessions

    def has_session(self, peer: DeviceAddress, identity_key: bytes) -> bool:
        """Whether `peer` can be written to without a prekey of theirs."""
        return bool(self._sessions(peer, identity_key))

    def start_session(self, peer: DeviceAddress, identity_key: bytes, prekey: bytes) -> None:
        """Start a session with a prekey of `peer`'s; it is the one that is written with from now on.

        Raises:
            IdentityRejected: "prekey": one of the keys is of small order, so that everybody would know the secret.
        """
        try:
            session = self._current().create_outbound_session(
                Curve25519PublicKey.from_bytes(identity_key), Curve25519PublicKey.from_bytes(prekey)
            )
        except (KeyException, SessionCreationException) as error:
            raise IdentityRejected(str(peer), "prekey", f"the key cannot be used: {error}") from None
        pickles = self._sessions(peer, identity_key)
        self._keep(peer, identity_key, [session.pickle(self._pickle_key).encode(), *pickles])

    def encrypt(self, peer: DeviceAddress, identity_key: bytes, plaintext: bytes) -> OlmMessage:
        """Encrypt with the newest session; raise `RatchetRejected` when there is none."""
        pickles = self._sessions(peer, identity_key)
        if not pickles:
            raise RatchetRejected(f"there is no session with {peer}: claim one of its prekeys first")
        session = self._unpickle(pickles[0])
        kind, body = session.encrypt(plaintext).to_parts()
        self._keep(peer, identity_key, [session.pickle(self._pickle_key).encode(), *pickles[1:]])
        return OlmMessage(kind, body)

    def decrypt(self, peer: DeviceAddress, identity_key: bytes, message: OlmMessage) -> bytes:
        """Decrypt with whichever session can, or with the one that the message starts.

        A session that `peer` started with another identity key than `identity_key` is refused.

        Raises:
            RatchetRejected: nothing decrypts it. Nothing has changed then.
        """
        try:
            parsed = AnyOlmMessage.from_parts(message.type, message.body)
        except (DecodeException, OverflowError):
            raise RatchetRejected(f"{peer} sent bytes that are not an Olm message") from None
        prekey = parsed.to_pre_key() if message.type == PREKEY else None
        pickles = self._sessions(peer, identity_key)
        for position, pickle in enumerate(pickles):
            session = self._unpickle(pickle)
            if prekey is not None and not session.session_matches(prekey):
                continue
            try:
                plaintext = session.decrypt(parsed)
            except OlmDecryptionException:
                continue
            others = pickles[:position] + pickles[position + 1 :]
            self._keep(peer, identity_key, [session.pickle(self._pickle_key).encode(), *others])
            return plaintext
        if prekey is None:
            raise RatchetRejected(
                f"no session with {peer} decrypts the message: it was received before, or the session is lost"
            )
        return self._accept_session(peer, identity_key, prekey, pickles)

    def forget(self, peer: DeviceAddress) -> None:
        """Drop all sessions with `peer`."""
        self._store.delete(Space.SESSION, str(peer))

    def _accept_session(
        self, peer: DeviceAddress, identity_key: bytes, prekey: PreKeyMessage, pickles: list[bytes]
    ) -> bytes:
        try:
            session, plaintext = self._current().create_inbound_session(
                Curve25519PublicKey.from_bytes(identity_key), prekey
            )
        except (KeyException, SessionCreationException, OlmDecryptionException):
            # vodozemac's words name keys: they stay here.
            raise RatchetRejected(
                f"the session that {peer} wants to start is refused: "
                "its prekey is used up or unknown, or the identity key is another one"
            ) from None
        # The one-time key is gone from the account now: it must be gone from the disk with the session's arrival.
        self._keep_account()
        self._keep(peer, identity_key, [session.pickle(self._pickle_key).encode(), *pickles])
        return plaintext

    # ---- what is stored

    def _sessions(self, peer: DeviceAddress, identity_key: bytes) -> list[bytes]:
        """The pickles, the one to write with first. Sessions under an identity key that is no longer the peer's are void."""
        record = self._store.get(Space.SESSION, str(peer))
        if record is None or record[:32] != identity_key:
            return []
        pickles, position = [], 32
        while position < len(record):
            (length,) = _LENGTH.unpack_from(record, position)
            position += _LENGTH.size + length
            pickles.append(record[position - length : position])
        return pickles

    def _keep(self, peer: DeviceAddress, identity_key: bytes, pickles: list[bytes]) -> None:
        kept = b"".join(_LENGTH.pack(len(pickle)) + pickle for pickle in pickles[:MAX_SESSIONS])
        self._store.put(Space.SESSION, str(peer), identity_key + kept)

    def _unpickle(self, pickle: bytes) -> Session:
        try:
            return Session.from_pickle(pickle.decode(), self._pickle_key)
        except PickleException:
            raise StoreDamaged("a stored ratchet session cannot be read: restore the key store from a backup") from None

    def _current(self) -> Account:
        """The account as it is stored. Taking it apart costs 2 ms, so it is kept until a transaction is rolled back."""
        if self._epoch != self._store.epoch:
            self._account = self._load_account()
            self._epoch = self._store.epoch
        return self._account

    def _load_account(self) -> Account:
        pickle = self._store.get(Space.ACCOUNT, _ACCOUNT)
        if pickle is None:
            raise StoreDamaged("the key store has lost its ratchet account: restore it from a backup")
        try:
            return Account.from_pickle(pickle.decode(), self._pickle_key)
        except PickleException:
            raise StoreDamaged("the stored ratchet account cannot be read: restore it from a backup") from None

    def _keep_account(self) -> None:
        self._store.put(Space.ACCOUNT, _ACCOUNT, self._account.pickle(self._pickle_key).encode())
