"""Safety numbers: sixty digits that two people read to each other to know that nobody is between them.

A user's half is computed from what the user *is*: address, fingerprint of the tenant's root key, and address and fingerprint
of the certificate key of each listed device, archives included. So the number is the same on both sides, stays when a
certificate is renewed with its key or a statement is replaced, and changes when a device is added, removed or re-keyed.

    half   = SHA-512, `ROUNDS` times over (digest || identity), first 30 bytes as 6 groups of 5 digits (5 bytes mod 100,000)
    number = both halves, the smaller first

The shape (iterated SHA-512, two halves sorted, groups of five) follows Signal's safety numbers: 5,200 rounds raise the price
of searching for a key with a similar number, and a half holds 99.6 bits.
"""

from hashlib import sha256, sha512

ROUNDS = 5_200
_VERSION = b"blindrelay/safety/1"

#: Address, root key fingerprint, and device address -> certificate key fingerprint.
Identity = tuple[str, bytes, dict[str, bytes]]


def number_of(one: Identity, other: Identity) -> str:
    """Twelve groups of five digits, in whichever order the two are given."""
    return " ".join(sorted([_digits(one), _digits(other)]))


def mark_of(one: Identity, other: Identity) -> bytes:
    """What to keep in order to see later whether the number is still the same: 32 bytes, cheap to compute."""
    return sha256(b"".join(sorted([sha256(_encode(one)).digest(), sha256(_encode(other)).digest()]))).digest()


def _digits(identity: Identity) -> str:
    encoded = _encode(identity)
    digest = encoded
    for _ in range(ROUNDS):
        digest = sha512(digest + encoded).digest()
    return " ".join(f"{int.from_bytes(digest[at : at + 5]) % 100_000:05}" for at in range(0, 30, 5))


def _encode(identity: Identity) -> bytes:
    user, root, devices = identity
    names = [name.encode() + b"\0" + devices[name] for name in sorted(devices)]
    # Addresses hold no zero byte and fingerprints have 32 bytes, so that no two identities have the same encoding.
    return b"\0".join([_VERSION, user.encode(), root, *names])
