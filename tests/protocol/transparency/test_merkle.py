"""Merkle trees, held to the published vectors of certificate-transparency's implementations and to RFC 6962 word for word."""

from typing import Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blindrelay.protocol.transparency import merkle, ranges
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT, ProofRejected, verify_consistency, verify_inclusion
from support.merkle import LOG, Log, sides, steps

# The reference tree of certificate-transparency (cpp/merkletree/merkle_tree_test.cc), of github.com/transparency-dev/merkle
# (proof/verify_test.go) and of most other implementations: eight entries, the root after each, and some proofs.
ENTRIES: Final = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS: Final = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION: Final = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY: Final = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 7): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}

SIZES: Final = st.integers(1, 3_000) | st.sampled_from([1, 2, 3, 255, 256, 257, 1_023, 1_024, 1_025, 2_047, 2_048])


def accepts_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        verify_inclusion(leaf, index, size, proof, root)
    except ProofRejected as error:
        return error.check != "inclusion"
    return True


def accepts_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: list[bytes]) -> bool:
    try:
        verify_consistency(old_size, old_root, new_size, new_root, proof)
    except ProofRejected as error:
        return error.check != "consistency"
    return True


# The published vectors.


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    """The root of the first entries; of none, it is the hash of nothing."""
    assert merkle.root_of([merkle.leaf_hash(entry) for entry in ENTRIES[:size]]) == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_inclusion_proofs(index: int, size: int) -> None:
    """Each is accepted where it belongs, for no other entry and in no other place."""
    proof = [bytes.fromhex(part) for part in INCLUSION[index, size]]
    verify_inclusion(merkle.leaf_hash(ENTRIES[index]), index, size, proof, ROOTS[size])
    for other in set(range(8)) - {index}:
        assert not accepts_inclusion(merkle.leaf_hash(ENTRIES[other]), index, size, proof, ROOTS[size])
        assert not accepts_inclusion(merkle.leaf_hash(ENTRIES[index]), other, size, proof, ROOTS[size])


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_published_consistency_proofs(old: int, new: int) -> None:
    """Each is accepted between its two roots, and between no others."""
    proof = [bytes.fromhex(part) for part in CONSISTENCY[old, new]]
    verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)
    for other in set(range(1, 9)) - {old}:
        assert not accepts_consistency(old, ROOTS[other], new, ROOTS[new], proof)
    for other in set(range(1, 9)) - {new}:
        assert not accepts_consistency(old, ROOTS[old], new, ROOTS[other], proof)


def test_the_reference_agrees_with_the_published_vectors() -> None:
    """What the rest is held to is right itself."""
    log = Log(ENTRIES)
    assert [log.root(size) for size in range(9)] == ROOTS
    for (index, size), proof in INCLUSION.items():
        assert [part.hex() for part in log.path(index, size)] == proof
    for (old, new), proof in CONSISTENCY.items():
        assert [part.hex() for part in log.proof(old, new)] == proof


# Against the RFC's own recursion.


@settings(deadline=None)
@given(SIZES)
def test_roots_are_those_of_the_recursion(size: int) -> None:
    """Pairing up from the left gives the tree that splitting at the largest power of two gives."""
    assert merkle.root_of([LOG.mth(at, at + 1) for at in range(size)]) == LOG.root(size)


@settings(deadline=None)
@given(SIZES, st.data())
def test_inclusion_proofs_are_those_of_the_recursion(size: int, data: st.DataObject) -> None:
    """The ranges hash to PATH(m, D[n]), and that verifies."""
    index = data.draw(st.integers(0, size - 1))
    proof = [LOG.mth(part.start, part.end) for part in ranges.inclusion(index, size)]
    assert proof == LOG.path(index, size)
    verify_inclusion(LOG.mth(index, index + 1), index, size, proof, LOG.root(size))


@settings(deadline=None)
@given(SIZES, st.data())
def test_consistency_proofs_are_those_of_the_recursion(new: int, data: st.DataObject) -> None:
    """The ranges hash to PROOF(m, D[n]), and that verifies."""
    old = data.draw(st.integers(1, new))
    proof = [LOG.mth(part.start, part.end) for part in ranges.consistency(old, new)]
    assert proof == (LOG.proof(old, new) if old < new else [])
    verify_consistency(old, LOG.root(old), new, LOG.root(new), proof)


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_range_is_hashed_from_its_subtrees(size: int, data: st.DataObject) -> None:
    """Complete subtrees of powers of two, joined from the right, are the hash of any range that a proof asks for."""
    index = data.draw(st.integers(0, size - 1))
    for part in [*ranges.inclusion(index, size), ranges.Range(0, size)]:
        found = ranges.subtrees(part)
        assert sum(1 << tree.height for tree in found) == part.end - part.start
        assert ranges.hash_of(
            part, lambda tree: LOG.mth(tree.index << tree.height, (tree.index + 1) << tree.height)
        ) == LOG.mth(part.start, part.end)


def test_every_pair_of_small_sizes() -> None:
    """All of them up to 40: no size is special."""
    for new in range(1, 41):
        for index in range(new):
            verify_inclusion(LOG.mth(index, index + 1), index, new, LOG.path(index, new), LOG.root(new))
        for old in range(1, new):
            verify_consistency(old, LOG.root(old), new, LOG.root(new), LOG.proof(old, new))


# What is not proved is refused.

HASHES: Final = st.binary(min_size=32, max_size=32)


@st.composite
def changed_hash(draw: st.DrawFn, hash_: bytes) -> bytes:
    """One bit of it, another one altogether, or one of another length."""
    bit = draw(st.integers(0, 255))
    flipped = (int.from_bytes(hash_, "big") ^ 1 << bit).to_bytes(32, "big")
    return draw(st.sampled_from([flipped, b"", hash_[:-1], hash_ + b"\0", EMPTY_ROOT, bytes(32)]) | HASHES)


@st.composite
def changed_proof(draw: st.DrawFn, proof: list[bytes], *others: bytes) -> list[bytes]:
    """An element changed, left out, put in, doubled or exchanged."""
    at = draw(st.integers(0, len(proof)))
    new = draw(st.sampled_from([*others, b""]) | HASHES)
    ways = [[*proof[:at], new, *proof[at:]]]
    if at < len(proof):
        ways += [
            proof[:at] + proof[at + 1 :],
            [*proof[:at], draw(changed_hash(proof[at])), *proof[at + 1 :]],
            [*proof[:at], proof[at], *proof[at:]],
            proof[::-1],
        ]
    changed = draw(st.sampled_from(ways))
    assume(changed != proof)
    return changed


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_changed_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    """Whatever is changed: the entry, its place, the root, or any part of the way there."""
    index = data.draw(st.integers(0, size - 1))
    leaf, root, proof = LOG.mth(index, index + 1), LOG.root(size), LOG.path(index, size)
    assert accepts_inclusion(leaf, index, size, proof, root)
    other = data.draw(changed_hash(leaf))
    assume(other != leaf)
    assert not accepts_inclusion(other, index, size, proof, root)
    other = data.draw(changed_hash(root))
    assume(other != root)
    assert not accepts_inclusion(leaf, index, size, proof, other)
    place = data.draw(st.integers(-2, size + 2) | st.sampled_from([index ^ 1, index ^ 2, 2**63, 2**64 + index]))
    assert accepts_inclusion(leaf, place, size, proof, root) == (place == index)
    assert not accepts_inclusion(leaf, index, size, data.draw(changed_proof(proof, leaf, root)), root)


@settings(deadline=None)
@given(SIZES, SIZES, st.data())
def test_a_proof_is_for_one_shape_of_tree(size: int, other: int, data: st.DataObject) -> None:
    """A proof says on which side each sibling is, and no more of the size: that is for the checkpoint's signature."""
    index = data.draw(st.integers(0, size - 1))
    same = index < other and sides(index, other) == sides(index, size)
    accepted = accepts_inclusion(LOG.mth(index, index + 1), index, other, LOG.path(index, size), LOG.root(size))
    assert accepted == same


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_changed_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    """Whatever is changed: either root, or any part of the proof."""
    old = data.draw(st.integers(1, new))
    old_root, new_root = LOG.root(old), LOG.root(new)
    proof = LOG.proof(old, new) if old < new else []
    assert accepts_consistency(old, old_root, new, new_root, proof)
    other = data.draw(changed_hash(old_root))
    assume(other != old_root)
    assert not accepts_consistency(old, other, new, new_root, proof)
    other = data.draw(changed_hash(new_root))
    assume(other != new_root)
    assert not accepts_consistency(old, old_root, new, other, proof)
    assert not accepts_consistency(old, old_root, new, new_root, data.draw(changed_proof(proof, old_root, new_root)))


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, st.data())
def test_a_consistency_proof_is_for_one_shape_of_trees(
    new: int, other_old: int, other_new: int, data: st.DataObject
) -> None:
    """With other sizes it is refused, but where the trees are alike: again the sizes are the checkpoints' to say."""
    old = data.draw(st.integers(1, new).filter(lambda size: size < new or new == 1))
    assume(old < new)
    same = other_old < other_new and steps(other_old, other_new) == steps(old, new)
    accepted = accepts_consistency(other_old, LOG.root(old), other_new, LOG.root(new), LOG.proof(old, new))
    assert accepted == same


@settings(deadline=None)
@given(SIZES, st.integers(0, 2_999), st.data())
def test_a_rewritten_entry_is_never_consistent(new: int, changed: int, data: st.DataObject) -> None:
    """A log that has changed an entry which was there before cannot prove that it has not: not with its own hashes."""
    old = data.draw(st.integers(1, new))
    changed %= old
    forged = Log([b"forged" if at == changed else LOG.entries[at] for at in range(new)])
    proof = forged.proof(old, new) if old < new else []
    assert not accepts_consistency(old, LOG.root(old), new, forged.root(new), proof)


@pytest.mark.parametrize(
    ("old_size", "old_root", "new_size", "new_root", "proof", "accepted"),
    [
        pytest.param(0, ROOTS[0], 0, ROOTS[0], [], True, id="nothing comes after nothing"),
        pytest.param(0, ROOTS[0], 5, ROOTS[5], [], True, id="everything comes after nothing"),
        pytest.param(5, ROOTS[5], 5, ROOTS[5], [], True, id="the same"),
        pytest.param(0, ROOTS[1], 5, ROOTS[5], [], False, id="nothing has one root"),
        pytest.param(0, ROOTS[0], 0, ROOTS[1], [], False, id="nothing has one root, later too"),
        pytest.param(0, ROOTS[0], 5, ROOTS[5], [ROOTS[0]], False, id="nothing needs no proof"),
        pytest.param(5, ROOTS[5], 5, ROOTS[5], [ROOTS[5]], False, id="the same needs no proof"),
        pytest.param(5, ROOTS[5], 5, ROOTS[4], [], False, id="a split view"),
        pytest.param(5, ROOTS[5], 4, ROOTS[4], [], False, id="a log that shrinks"),
        pytest.param(1, ROOTS[1], 2, ROOTS[2], [], False, id="no proof"),
        pytest.param(3, ROOTS[3], 4, ROOTS[4], [], False, id="no proof at all"),
        pytest.param(0, ROOTS[0], 2**63, ROOTS[2], [], False, id="everything is not as large"),
        pytest.param(-1, ROOTS[0], 2, ROOTS[2], [], False, id="less than nothing"),
        pytest.param(1, ROOTS[1], 2**63, ROOTS[2], [ROOTS[0]] * 63, False, id="larger than any log"),
        pytest.param(1, ROOTS[1], 2, ROOTS[2], [ROOTS[0]] * 500, False, id="longer than any proof"),
    ],
)
def test_the_edges_of_consistency(  # noqa: PLR0917 - a row of the table
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: list[bytes], accepted: bool
) -> None:
    """Empty trees, equal trees, trees in the wrong order."""
    assert accepts_consistency(old_size, old_root, new_size, new_root, proof) == accepted


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (8, 8), (0, -1), (0, 2**63)])
def test_an_entry_outside_of_the_tree_is_not_in_it(index: int, size: int) -> None:
    """Whatever the hashes say."""
    assert not accepts_inclusion(ROOTS[1], index, size, [], ROOTS[1])


LEAF: Final = ROOTS[1]
OTHER: Final = ROOTS[2]


@pytest.mark.parametrize(
    ("index", "size", "proof", "root"),
    [
        pytest.param(0, 1, [OTHER], merkle.node_hash(OTHER, LEAF), id="longer than the tree is high"),
        pytest.param(0, 2, [], LEAF, id="shorter than the tree is high"),
        pytest.param(1, 2, [OTHER[:31]], merkle.node_hash(OTHER[:31], LEAF), id="with a short hash"),
        pytest.param(1, 2, [OTHER + b"\0"], merkle.node_hash(OTHER + b"\0", LEAF), id="with a long hash"),
    ],
)
def test_a_path_has_its_length(index: int, size: int, proof: list[bytes], root: bytes) -> None:
    """Even where the hashes come out right, because somebody has made the root for it."""
    assert not accepts_inclusion(LEAF, index, size, proof, root)


@pytest.mark.parametrize(
    ("old", "new", "proof", "new_root"),
    [
        pytest.param(1, 2, [OTHER, OTHER], merkle.node_hash(merkle.node_hash(LEAF, OTHER), OTHER), id="longer"),
        pytest.param(
            1, 2, [OTHER, OTHER], merkle.node_hash(OTHER, merkle.node_hash(LEAF, OTHER)), id="longer, to the left"
        ),
        pytest.param(1, 3, [OTHER], merkle.node_hash(LEAF, OTHER), id="shorter"),
        pytest.param(1, 2, [OTHER[:31]], merkle.node_hash(LEAF, OTHER[:31]), id="with a short hash"),
    ],
)
def test_a_consistency_proof_has_its_length(old: int, new: int, proof: list[bytes], new_root: bytes) -> None:
    """The same for the way between two trees."""
    for old_root in (LEAF, merkle.node_hash(OTHER, LEAF)):
        assert not accepts_consistency(old, old_root, new, new_root, proof)


def test_a_consistency_proof_does_not_go_on_above_both_roots() -> None:
    """Where it would lead to two roots that somebody has made for it."""
    above = [merkle.node_hash(OTHER, LOG.root(size)) for size in (3, 4)]
    assert not accepts_consistency(3, above[0], 4, above[1], [*LOG.proof(3, 4), OTHER])


def test_no_proof_is_made_of_what_is_not_so() -> None:
    """Asking for one is a mistake of the caller's."""
    with pytest.raises(ValueError, match="no leaf 3 in a tree of 3"):
        ranges.inclusion(3, 3)
    with pytest.raises(ValueError, match="does not come after"):
        ranges.consistency(4, 3)
    with pytest.raises(ValueError, match="no range of a proof"):
        ranges.subtrees(ranges.Range(1, 3))


def test_entries_are_no_nodes() -> None:
    """An entry that looks like an inner node does not hash like one (RFC 6962, 2.1: second preimages)."""
    left, right = LOG.mth(0, 1), LOG.mth(1, 2)
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right) == LOG.root(2)
