"""An inclusion proof as a file: whoever has it, the entry and a policy needs nobody else."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, CheckpointRejected, cosign
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey
from blindrelay.protocol.transparency.merkle import ProofRejected
from blindrelay.protocol.transparency.policy import Trust, Witness
from blindrelay.protocol.transparency.proof import LogProof
from support.merkle import LOG, mutated

SIGNER: Final = SigningKey.generate("example.com/log")
WITNESS: Final = SigningKey.generate("witness.example", Algorithm.COSIGNATURE)
TRUST: Final = Trust.threshold(SIGNER.verifier, (Witness("w", WITNESS.verifier),), 1)


def proof_of(index: int, size: int) -> LogProof:
    note = Checkpoint("example.com/log", size, LOG.root(size)).sign(SIGNER)
    note = note.with_signature(cosign(note, WITNESS, 1_800_000_000))
    return LogProof(index, tuple(LOG.path(index, size)), note.encode())


PROOF: Final = proof_of(1_234, 2_345)


@given(st.integers(1, 3_000), st.data())
def test_a_proof_survives_its_file(size: int, data: st.DataObject) -> None:
    """Written, read and verified: at this time the witness knew the entry to be there."""
    index = data.draw(st.integers(0, size - 1))
    proof = LogProof.parse(proof_of(index, size).encode())
    assert proof == proof_of(index, size)
    witnessed = proof.verify(LOG.entries[index], TRUST)
    assert (witnessed.checkpoint.size, witnessed.time) == (size, 1_800_000_000)


def test_the_form_is_that_of_the_specification() -> None:
    """https://c2sp.org/tlog-proof: header, index, hashes, blank line, checkpoint. An extra line is passed over."""
    header, index, *hashes = PROOF.encode().partition(b"\n\n")[0].decode().split("\n")
    assert (header, index, len(hashes)) == ("c2sp.org/tlog-proof@v1", "index 1234", len(PROOF.hashes))
    assert LogProof.parse(PROOF.encode().replace(b"index", b"extra aGVsbG8=\nindex", 1)) == PROOF


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("@v1", "@v2", id="another version"),
        pytest.param("index 1234", "index 01234", id="a leading zero"),
        pytest.param("index 1234\n", "", id="no index"),
        pytest.param("index 1234", "index 9223372036854775808", id="an index of 2**63"),
        pytest.param("index", "extra aGVsbG8=\nextra aGVsbG8=\nindex", id="two extra lines"),
        pytest.param("index", "extra hello\nindex", id="an extra line that is not base64"),
        pytest.param("=\n\n", "=\n", id="no blank line"),
        pytest.param("=\n", "\n", id="no padding"),
    ],
)
def test_what_is_no_proof(old: str, new: str) -> None:
    """With a slip of the pen."""
    with pytest.raises(Malformed):
        LogProof.parse(PROOF.encode().replace(old.encode(), new.encode(), 1))


def test_another_entry_is_not_proved() -> None:
    """Nor the entry in another place, nor with another proof."""
    entry = LOG.entries[1_234]
    for proof, what in (
        (PROOF, LOG.entries[1_235]),
        (LogProof(1_235, PROOF.hashes, PROOF.checkpoint), entry),
        (LogProof(1_234, PROOF.hashes[1:], PROOF.checkpoint), entry),
    ):
        with pytest.raises(ProofRejected):
            proof.verify(what, TRUST)


def test_a_checkpoint_that_is_not_to_be_believed_proves_nothing() -> None:
    """Without its witness, or of another log."""
    note = Checkpoint("example.com/log", 2_345, LOG.root(2_345)).sign(SIGNER)
    with pytest.raises(CheckpointRejected, match="too few"):
        LogProof(1_234, PROOF.hashes, note.encode()).verify(LOG.entries[1_234], TRUST)
    other = Trust(SigningKey.generate("example.com/log").verifier)
    with pytest.raises(CheckpointRejected, match="has not signed"):
        PROOF.verify(LOG.entries[1_234], other)


@given(mutated(PROOF.encode()) | st.binary(max_size=200))
def test_whatever_is_no_proof_is_malformed_or_refused(data: bytes) -> None:
    """No slip makes another proof of it: what verifies is for the same place, in the same tree."""
    try:
        proof = LogProof.parse(data)
        witnessed = proof.verify(LOG.entries[1_234], TRUST)
    except (Malformed, VerificationFailed):
        return
    assert (proof.index, proof.hashes, witnessed.checkpoint.size) == (1_234, PROOF.hashes, 2_345)
