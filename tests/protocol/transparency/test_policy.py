"""Policies: whose signatures make a checkpoint believable, and no way for one witness to count as two."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, CheckpointRejected, cosign
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey
from blindrelay.protocol.transparency.merkle import leaf_hash
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Group, Trust, Witness, parse_witness

ORIGIN: Final = "example.com/log"
LOG: Final = SigningKey.generate(ORIGIN)
KEYS: Final = {
    name: SigningKey.generate(f"{name.lower()}.example", Algorithm.COSIGNATURE)
    for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")
}
WITNESSES: Final = {name: Witness(name, key.verifier) for name, key in KEYS.items()}

# The example of https://c2sp.org/tlog-policy, with keys.
EXAMPLE: Final = f"""\
# one log, six witnesses of two organisations
log {LOG.verifier}

witness X1 {KEYS["X1"].verifier}
witness X2 {KEYS["X2"].verifier}
witness\tX3  {KEYS["X3"].verifier}   https://x3.example/witness
group X-witnesses 2 X1 X2 X3

witness Y1 {KEYS["Y1"].verifier}
witness Y2 {KEYS["Y2"].verifier}
witness Y3 {KEYS["Y3"].verifier}
  group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
TRUST: Final = Trust.parse(EXAMPLE)


def checkpoint_by(*names: str, log: SigningKey = LOG, origin: str = ORIGIN) -> Note:
    """A checkpoint, signed by the log and cosigned by these, each at another time."""
    note = Checkpoint(origin, 1, leaf_hash(b"")).sign(log)
    return note.with_signature(*(cosign(note, KEYS[name], 1_800_000_000 + at) for at, name in enumerate(names)))


@pytest.mark.parametrize("names", ["X1 X2 Y1", "X2 X3 Y3", "X1 X2 X3 Y1 Y2 Y3"])
def test_a_quorum_is_enough(names: str) -> None:
    """Two of the one organisation and any of the other: each at the time that it gave."""
    witnessed = TRUST.open(checkpoint_by(*names.split()).encode())
    assert [name for name, _ in witnessed.cosigned] == names.split()
    assert witnessed.time == 1_800_000_000 + len(names.split()) - 1
    assert witnessed.checkpoint.size == 1


@pytest.mark.parametrize("names", ["", "X1 X2 X3", "Y1 Y2 Y3", "X1 Y1 Y2 Y3", "X1 X1 Y1"])
def test_less_than_a_quorum_is_not(names: str) -> None:
    """One organisation alone is not enough, nor is one witness that cosigns twice."""
    with pytest.raises(CheckpointRejected, match="too few witnesses"):
        TRUST.open(checkpoint_by(*names.split()).encode())


def test_another_log_is_not_believed() -> None:
    """Neither another key's signature under the same name nor the same key's under another origin."""
    for note, why in (
        (checkpoint_by(*KEYS, log=SigningKey.generate(ORIGIN)), "has not signed"),
        (checkpoint_by(*KEYS, origin="example.com/other"), "was expected"),
    ):
        with pytest.raises(CheckpointRejected, match=why):
            TRUST.open(note.encode())


def test_a_policy_survives_its_file() -> None:
    """What `str` writes is read as the same policy."""
    assert Trust.parse(str(TRUST)) == TRUST
    assert TRUST.witnesses[2].url == "https://x3.example/witness"


def test_no_quorum_needs_the_log_alone() -> None:
    """`quorum none` is said in so many words: no policy comes without one."""
    assert Trust.parse(f"log {LOG.verifier}\nquorum none\n").open(checkpoint_by().encode()).time is None
    with pytest.raises(Malformed, match="one line `quorum"):
        Trust.parse(f"log {LOG.verifier}\n")


def test_a_threshold_is_a_policy() -> None:
    """Any two of the witnesses."""
    trust = Trust.threshold(LOG.verifier, tuple(WITNESSES.values()), 2)
    assert Trust.parse(str(trust)) == trust
    trust.open(checkpoint_by("X1", "Y1").encode())
    with pytest.raises(CheckpointRejected):
        trust.open(checkpoint_by("X1").encode())


@pytest.mark.parametrize("count", [-1, 7])
def test_a_threshold_that_cannot_be_met_is_refused(count: int) -> None:
    """Fewer than none, and more than there are."""
    with pytest.raises(Malformed):
        Trust.threshold(LOG.verifier, tuple(WITNESSES.values()), count)


def test_one_key_is_not_two_witnesses() -> None:
    """Under two names, one key would be a quorum of two. In a file and in code."""
    twin = VerifierKey("other.example", Algorithm.COSIGNATURE, KEYS["X1"].verifier.public)
    with pytest.raises(Malformed, match="public key"):
        Trust.threshold(LOG.verifier, (WITNESSES["X1"], Witness("Twin", twin)), 2)
    with pytest.raises(Malformed, match="public key"):
        Trust.parse(EXAMPLE.replace("quorum", f"witness Twin {twin}\nquorum"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param("group Z all X1", "twice", id="a member of two groups"),
        pytest.param("group Z all Y-witnesses", "twice", id="a group in two groups"),
        pytest.param("group X1 any Y1", "twice", id="a name that is taken"),
        pytest.param("group none any X-and-Y", "twice", id="the name none"),
        pytest.param("group Z any none", "before this line", id="none as a member"),
        pytest.param("group Z any Z", "before this line", id="itself"),
        pytest.param("group Z any Later\nwitness Later KEY", "before this line", id="a later witness"),
        pytest.param("group Z 0 X-and-Y", "cannot be met", id="none of them"),
        pytest.param("group Z 2 X-and-Y", "cannot be met", id="more than there are"),
        pytest.param("group Z -1 X-and-Y", "cannot be met", id="a negative number"),
        pytest.param("group Z ² X-and-Y", "cannot be met", id="a digit that is none"),
        pytest.param("group Z any", "not understood", id="nobody"),
        pytest.param("witness Z", "is no witness", id="no key"),
        pytest.param("witness Z LOGKEY", "is needed here", id="a log's key"),
        pytest.param("log KEY", "said twice", id="a second log"),
        pytest.param("quorum X-and-Y", "said twice", id="a second quorum"),
        pytest.param("Quorum X-and-Y", "not understood", id="another case"),
        pytest.param("log LOGKEY\r", "control character", id="a carriage return"),
        pytest.param("# \x7f", "control character", id="a control character in a comment"),
        pytest.param("witness\u00a0Z KEY", "not understood", id="a space that is none"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(line: str, why: str) -> None:
    """With the line, where a line is to blame: a rule that is misread is a rule that does not hold."""
    new = SigningKey.generate("new.example", Algorithm.COSIGNATURE).verifier
    line = line.replace("LOGKEY", str(LOG.verifier)).replace(" KEY", f" {new}")
    with pytest.raises(Malformed, match=why):
        Trust.parse(EXAMPLE + line + "\n")


def test_a_group_in_code_is_held_to_the_same_rules() -> None:
    """What no file could say cannot be built either."""
    for groups, quorum in (
        ((Group("g", 1, ("X1", "X1")),), "g"),
        ((Group("g", 2, ("X1",)),), "g"),
        ((Group("g", 1, ("Z",)),), "g"),
        ((Group("g", 1, ("h",)), Group("h", 1, ("X1",))), "g"),
        ((), "g"),
    ):
        with pytest.raises(Malformed):
            Trust(LOG.verifier, (WITNESSES["X1"],), groups, quorum)


def test_a_witness_is_a_line() -> None:
    """As the relay's configuration and the command line have it."""
    line = f"witness W {KEYS['X1'].verifier} http://127.0.0.1:7000"
    assert parse_witness(line) == Witness("W", KEYS["X1"].verifier, "http://127.0.0.1:7000")
    assert str(parse_witness(line)) == line
    with pytest.raises(Malformed, match="expected `witness"):
        parse_witness(f"log {LOG.verifier}")


def some(count: int, *names: str) -> Trust:
    """So many of these."""
    return Trust.threshold(LOG.verifier, tuple(WITNESSES[name] for name in names), count)


@pytest.mark.parametrize(
    ("new", "old", "strict"),
    [
        (some(1, "X1"), some(0, "X1"), True),
        (some(1, "X1"), some(1, "X1"), True),
        (some(2, "X1", "X2"), some(1, "X1"), True),
        (some(1, "X1"), some(1, "X1", "X2"), True),
        (some(1, "X1"), TRUST, False),
        (some(0, "X1"), some(1, "X1"), False),
        (some(1, "X1", "X2"), some(1, "X1"), False),
        (some(1, "X2"), some(1, "X1"), False),
        (some(2, "X1", "X2", "X3"), some(2, "X1", "X2"), False),
        (some(4, "X1", "X2", "X3", "Y1"), TRUST, True),
        (some(4, "X1", "X2", "Y1", "Y2", "Y3"), TRUST, False),
    ],
)
def test_a_policy_is_as_strict_as_another_when_whoever_meets_it_meets_the_other(
    new: Trust, old: Trust, strict: bool
) -> None:
    """Whatever names, groups and order: what counts is which witnesses are enough."""
    assert new.is_as_strict_as(old) is strict


def test_a_witness_of_the_same_name_is_not_the_same_witness() -> None:
    """Its key is who it is; and the name may change while the key stays."""
    old = some(1, "X1")
    assert not Trust.threshold(LOG.verifier, (Witness("X1", KEYS["X2"].verifier),), 1).is_as_strict_as(old)
    assert Trust.threshold(LOG.verifier, (Witness("renamed", KEYS["X1"].verifier),), 1).is_as_strict_as(old)


def test_of_very_many_witnesses_nothing_is_said() -> None:
    """There are too many ways in which they could agree: it takes no time, and errs on the safe side."""
    many = tuple(
        Witness(f"w{number}", SigningKey.generate(f"w{number}", Algorithm.COSIGNATURE).verifier) for number in range(60)
    )
    assert not Trust.threshold(LOG.verifier, many, 60).is_as_strict_as(some(0))


WORDS: Final = st.sampled_from(
    ["log", "witness", "group", "quorum", "any", "none", "X", "1", "#", "\t", str(LOG.verifier)]
)


@given(st.text(max_size=200) | st.lists(st.lists(WORDS).map(" ".join)).map("\n".join))
def test_whatever_is_no_policy_is_malformed(text: str) -> None:
    """The parser raises nothing else; what it takes is a policy that `str` writes."""
    try:
        trust = Trust.parse(text)
    except Malformed:
        return
    assert Trust.parse(str(trust)) == trust
