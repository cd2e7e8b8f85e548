"""What gives a sender away without statistics."""

from dataclasses import replace

from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from blindrelay.proofs.traffic.signs import asked, copied, named, tied

LETTER = Seen(100.0, None, "x/bob/phone", 2_048, "c1")
FROM_ALICE = Truth("x/alice/laptop", Kind.LETTER, 9, "one")
#: So that it is known that alice has two devices.
EARLIER = [
    (Seen(0.0, None, f"x/alice/{device}", 2_048, "c0"), Truth("x/bob/phone", Kind.LETTER, 9, "zero"))
    for device in ("laptop", "phone")
]


def test_a_name_that_is_written_down_is_counted() -> None:
    """Half of the letters, and receipts do not count."""
    known = replace(LETTER, at=200.0, sender="x/alice/laptop")
    receipt = (replace(known, at=300.0), replace(FROM_ALICE, kind=Kind.RECEIPT))

    assert named(Traffic.of([(LETTER, FROM_ALICE), (known, replace(FROM_ALICE, letter="two")), receipt])) == 0.5


def test_a_copy_beside_a_letter_signs_it() -> None:
    """What goes to alice's phone and not to her laptop is from her laptop."""
    copy = (replace(LETTER, at=100.1, recipient="x/alice/phone"), replace(FROM_ALICE, kind=Kind.COPY))

    assert copied(Traffic.of([*EARLIER, (LETTER, FROM_ALICE), copy])) == 1.0


def test_a_copy_that_comes_later_signs_nothing() -> None:
    """A minute later it is beside nothing."""
    copy = (replace(LETTER, at=160.0, recipient="x/alice/phone"), replace(FROM_ALICE, kind=Kind.COPY))

    assert copied(Traffic.of([*EARLIER, (LETTER, FROM_ALICE), copy])) == 0.0


def test_a_question_beside_a_letter_signs_it() -> None:
    """A connection with alice's token that brings nothing, and a second later one with bob's that does."""
    question = (Seen(99.0, None, "x/alice/", 0, "c2"), Truth("", Kind.QUESTION, 0, ""))

    assert asked(Traffic.of([question, (LETTER, FROM_ALICE)])) == 1.0
    assert asked(Traffic.of([(replace(question[0], at=90.0), question[1]), (LETTER, FROM_ALICE)])) == 0.0


def test_a_connection_that_stays_ties_letters_together() -> None:
    """An hour apart, over one connection; over two they are not tied, and within a conversation they may be."""

    def both(at: float, connection: str) -> tuple[float, int]:
        later = replace(LETTER, at=at, connection=connection)
        return tied(Traffic.of([(LETTER, FROM_ALICE), (later, replace(FROM_ALICE, letter="two"))]))

    assert both(3_700.0, "c1") == (1.0, 1)
    assert both(3_700.0, "c2") == (0.0, 1)
    assert both(130.0, "c1") == (0.0, 0)


def test_of_nothing_nothing_gives_anything_away() -> None:
    """A share of nothing is nothing."""
    nothing = Traffic.of(())

    assert [sign(nothing) for sign in (named, copied, asked)] == [0.0] * 3
    assert tied(nothing) == (0.0, 0)
