"""What a log asks of a witness, held to the example of https://c2sp.org/tlog-witness."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.submission import (
    MAX_SUBMISSION,
    Submission,
    decode_cosignatures,
    encode_cosignatures,
)
from support.merkle import LOG, mutated

EXAMPLE: Final = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""
ANSWER: Final = """\
— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==
— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==
— witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==
"""
NOTE: Final = Checkpoint("example.com/log", 3_000, LOG.root(3_000)).sign(SigningKey.generate("example.com/log"))


def test_the_example_of_the_specification() -> None:
    """Size, proof and checkpoint; and the answer with three cosignatures."""
    submission = Submission.parse(EXAMPLE.encode())
    assert submission.old_size == 20_852_014
    assert [len(part) for part in submission.proof] == [32] * 4
    assert Checkpoint.parse(submission.note.text).size == 20_852_163
    assert len(submission.note.signatures) == 2
    assert submission.encode().decode() == EXAMPLE
    signatures = decode_cosignatures(ANSWER.encode())
    assert [signature.name for signature in signatures] == [
        "witness.example/w1",
        "witness.example/w1",
        "witness.example/w2",
    ]
    assert encode_cosignatures(signatures).decode() == ANSWER


@given(st.integers(1, 2_999))
def test_a_submission_survives_the_wire(old: int) -> None:
    """Written and read, it is the same."""
    submission = Submission(old, tuple(LOG.proof(old, 3_000)), NOTE)
    assert Submission.parse(submission.encode()) == submission


def test_a_first_submission_has_no_proof() -> None:
    """The line of the size, and the blank one."""
    submission = Submission(0, (), NOTE)
    assert submission.encode() == b"old 0\n\n" + NOTE.encode()
    assert Submission.parse(submission.encode()) == submission


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("old 20852014\n", "", id="no size"),
        pytest.param("old 20852014", "old 020852014", id="a leading zero"),
        pytest.param("old 20852014", "old  20852014", id="two spaces"),
        pytest.param("old 20852014", "old -1", id="a negative size"),
        pytest.param("old 20852014", "Old 20852014", id="another case"),
        pytest.param("old 20852014", "old 9223372036854775808", id="a size of 2**63"),
        pytest.param("kaw=\n", "kax=\n", id="stray bits in a hash"),
        pytest.param("kaw=\n", "kaw=\r\n", id="a carriage return"),
        pytest.param("PlRNCrwH", "PlRN", id="a short hash"),
        pytest.param("PlRNCrwH", "PlRNéCrwH", id="a hash that is not ASCII"),
        pytest.param("\n\nexample", "\nexample", id="no blank line"),
        pytest.param("— example.com/behind-the-sofa Az3g", "— Az3g", id="no name"),
    ],
)
def test_what_is_no_submission(old: str, new: str) -> None:
    """The example with a slip of the pen."""
    assert old in EXAMPLE
    with pytest.raises(Malformed):
        Submission.parse(EXAMPLE.replace(old, new).encode())


def test_sixty_three_hashes_are_taken() -> None:
    """No tree below 2**63 needs more."""
    last = EXAMPLE.splitlines(keepends=True)[4]
    assert len(Submission.parse(EXAMPLE.replace(last, last * 60).encode()).proof) == 63
    with pytest.raises(Malformed, match="64 hashes"):
        Submission.parse(EXAMPLE.replace(last, last * 61).encode())


def test_a_submission_is_not_too_long() -> None:
    """Before anything in it is looked at."""
    with pytest.raises(Malformed, match="bytes"):
        Submission.parse(b"x" * (MAX_SUBMISSION + 1))
    with pytest.raises(Malformed, match="bytes"):
        decode_cosignatures(ANSWER.encode() * 1_000)


@given(mutated(EXAMPLE.encode()) | st.binary(max_size=200))
def test_whatever_is_no_submission_is_malformed(data: bytes) -> None:
    """The parser raises nothing else, and what it takes is written again to the same bytes."""
    try:
        submission = Submission.parse(data)
    except Malformed:
        return
    assert submission.encode() == data


@given(mutated(ANSWER.encode()) | st.binary(max_size=200))
def test_whatever_is_no_answer_is_malformed(data: bytes) -> None:
    """A witness's answer is as strange as a log's question."""
    try:
        signatures = decode_cosignatures(data)
    except Malformed:
        return
    assert encode_cosignatures(signatures) == data
