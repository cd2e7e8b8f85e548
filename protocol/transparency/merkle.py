"""Merkle tree hashes, and the verification of inclusion and consistency proofs (RFC 6962, 2.1; RFC 9162, 2.1.3.2, 2.1.4.2).

A hash is 32 bytes, SHA-256. A check that fails raises.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from blindrelay.protocol.errors import VerificationFailed

HASH_LENGTH: Final = 32
#: The root of a tree without leaves.
EMPTY_ROOT: Final = sha256(b"").digest()
#: Sizes and indices are below this: they fit a signed 64-bit integer everywhere.
MAX_SIZE: Final = 2**63


class ProofRejected(VerificationFailed):
    """A Merkle proof does not hold; `check` is `inclusion` or `consistency`."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of an entry. The first byte keeps entries and inner nodes apart (RFC 6962, 2.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root above consecutive hashes of one level, whatever their number.

    Pairing up from the left and carrying an odd last one is the same tree as splitting at the largest power of two.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise `ProofRejected` unless the leaf with the hash `leaf` is at `index` in the tree of `size` leaves under `root`.

    `proof` has the siblings on the way up, the lowest first.
    """
    if not (0 < size < MAX_SIZE and 0 <= index < size):
        raise ProofRejected("inclusion", f"there is no leaf {index} in a tree of {size}")
    _check_hashes("inclusion", (leaf, root, *proof))
    # The names and steps of RFC 9162, 2.1.3.2.
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise ProofRejected("inclusion", "the path is longer than the tree is high")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofRejected("inclusion", "the path is shorter than the tree is high")
    if r != root:
        raise ProofRejected("inclusion", f"the path leads to {r.hex()}, and the root is {root.hex()}")


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise `ProofRejected` unless the newer tree begins with all the leaves of the older one, in their order."""
    if not 0 <= old_size <= new_size < MAX_SIZE:
        raise ProofRejected("consistency", f"a tree of {new_size} does not come after one of {old_size}")
    _check_hashes("consistency", (old_root, new_root, *proof))
    if old_size in (0, new_size):
        if proof:
            raise ProofRejected("consistency", "there is nothing to prove, and yet there is a proof")
        if old_root != (new_root if old_size else EMPTY_ROOT):
            raise ProofRejected("consistency", f"two trees of the size {old_size} have different roots")
        if new_size == 0 and new_root != EMPTY_ROOT:
            raise ProofRejected("consistency", "an empty tree has another root")
        return
    if not proof:
        raise ProofRejected("consistency", "there is no proof")
    first, second = _replay(old_size, old_root, new_size, proof)
    if first != old_root:
        raise ProofRejected("consistency", f"the proof leads to the old root {first.hex()}, not to {old_root.hex()}")
    if second != new_root:
        raise ProofRejected("consistency", f"the proof leads to the new root {second.hex()}, not to {new_root.hex()}")


def _replay(old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Both roots that the proof leads to (RFC 9162, 2.1.4.2)."""
    # Step 2: an old tree that is complete is a node of the new one, and left out of the proof.
    first, *rest = (old_root, *proof) if old_size & (old_size - 1) == 0 else proof
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = first
    for c in rest:
        if sn == 0:
            raise ProofRejected("consistency", "the proof is longer than the tree is high")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofRejected("consistency", "the proof is shorter than the tree is high")
    return fr, sr


def _check_hashes(check: str, hashes: Sequence[bytes]) -> None:
    if any(len(found) != HASH_LENGTH for found in hashes):
        raise ProofRejected(check, f"a hash does not have {HASH_LENGTH} bytes")
