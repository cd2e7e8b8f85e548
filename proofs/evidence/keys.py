"""Every secret that a device or an authority has, taken from where it keeps them: to be looked for where it must not be."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_private_key

from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.proofs.evidence.canaries import Kind, Registry

# So many of each kind of a device's one-time keys: they are made alike, and a hundred of them would only cost time.
_ONE_TIME_KEYS = 2
_X25519_SEED = 64  # where it begins in an X-Wing key's seeds, behind those of ML-KEM


def plant_keys(store: KeyStore, owner: str, registry: Registry) -> None:
    """The keys that a device keeps: of its certificate, of its seals, of its ratchet account and of every session."""
    der = store.get(Space.IDENTITY, "key")
    state = json.loads(store.get(Space.IDENTITY, "state") or b"{}")
    if der is not None:
        registry.secret(Kind.PRIVATE_KEY, f"{owner}'s certificate key", scalar(der))
    for sealing in state.get("sealing", ()):
        seeds = base64.urlsafe_b64decode(sealing["seeds"])
        registry.secret(Kind.PRIVATE_KEY, f"{owner}'s sealing key, ML-KEM", seeds[:_X25519_SEED])
        registry.secret(Kind.PRIVATE_KEY, f"{owner}'s sealing key, X25519", seeds[_X25519_SEED:])
    registry.secret(Kind.PRIVATE_KEY, f"{owner}'s key of its key store", store._vault._data_key)
    registry.secret(Kind.PRIVATE_KEY, f"{owner}'s key of its ratchet's pickles", store.key("olm"))
    if (token := store.get(Space.IDENTITY, "token")) is not None:
        registry.secret(Kind.TOKEN, f"{owner}'s delivery token", token)
    _plant_ratchet(store, owner, registry)


def plant_session_keys(store: KeyStore, owner: str, registry: Registry) -> None:
    """The keys of every ratchet session as they are now; they move on with each message."""
    pickle_key = store.key("olm")
    for peer, record in store.items(Space.SESSION):
        for pickle in _pickles(record):
            for name, key in _session_keys(open_pickle(pickle, pickle_key)):
                registry.secret(Kind.SESSION_KEY, f"{name} of {owner} with {peer}", key)


def scalar(der: bytes) -> bytes:
    """The private number of an EC key (PKCS #8), 32 bytes: it stands in every form of the key."""
    key = load_der_private_key(der, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("not an EC key")
    return key.private_numbers().private_value.to_bytes(32)


def open_pickle(pickle: bytes, key: bytes) -> dict[str, Any]:
    """What vodozemac pickled: JSON under AES-256-CBC, with a key derived from the pickle's."""
    raw = base64.b64decode(pickle + b"=" * (-len(pickle) % 4))
    derived = HKDF(SHA256(), 80, None, b"Pickle").derive(key)
    decryptor = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[64:])).decryptor()
    padded = decryptor.update(raw[:-8]) + decryptor.finalize()
    return dict(json.loads(padded[: -padded[-1]]))


def _plant_ratchet(store: KeyStore, owner: str, registry: Registry) -> None:
    account = store.get(Space.ACCOUNT, "account")
    if account is None:
        return
    opened = open_pickle(account, store.key("olm"))
    registry.secret(Kind.PRIVATE_KEY, f"{owner}'s ratchet identity key", bytes(opened["diffie_hellman_key"]))
    (signing,) = opened["signing_key"].values()
    registry.secret(Kind.PRIVATE_KEY, f"{owner}'s ratchet signing key", bytes(signing)[:32])
    if fallback := opened["fallback_keys"]["fallback_key"]:
        registry.secret(Kind.PRIVATE_KEY, f"the fallback prekey of {owner}", bytes(fallback["key"]))
    one_time = list(opened["one_time_keys"]["private_keys"].values())
    for key in one_time[:_ONE_TIME_KEYS]:
        registry.secret(Kind.PRIVATE_KEY, f"a one-time prekey of {owner}", bytes(key))


def _pickles(record: bytes) -> Iterator[bytes]:
    position = 32
    while position < len(record):
        length = int.from_bytes(record[position : position + 4])
        yield record[position + 4 : position + 4 + length]
        position += 4 + length


def _session_keys(opened: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    sending = opened["sending_ratchet"]
    if active := sending.get("active_ratchet"):
        yield "root key", bytes(active["root_key"])
        yield "ratchet key", bytes(active["ratchet_key"])
    if chain := sending.get("symmetric_key_ratchet"):
        yield "sending chain key", bytes(chain["key"])
    for receiving in opened["receiving_chains"]["inner"]:
        yield "receiving chain key", bytes(receiving["hkdf_ratchet"]["key"])
