"""What can be concluded from records, and how good it is: on populations of which one knows the truth."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.console.inference import graph, people, report, scores, timing
from blindrelay.console.inference.records import BadTrace, Record, by_hour, invented, of_trace


def _two_circles() -> Iterator[Record]:
    """Two circles of four who write within, and one letter between them."""
    at = 0.0
    for _ in range(20):
        for circle in ("abcd", "wxyz"):
            for sender, recipient in zip(circle, circle[1:] + circle[0], strict=True):
                at += 60
                yield Record(at, sender, recipient)
    yield Record(at + 60, "a", "w")


def test_people_who_write_to_one_another_belong_together() -> None:
    """Two circles are two groups."""
    groups = graph.communities(graph.undirected(graph.directed(_two_circles())))
    assert {groups[person] for person in "abcd"} != {groups[person] for person in "wxyz"}
    assert len(set(groups.values())) == 2


def test_groups_are_the_teams() -> None:
    """Of the invented company, nearly all of them."""
    company = invented()
    groups = graph.communities(graph.undirected(graph.directed(company.records)))
    assert scores.agreement(groups, company.groups) > 0.8


def test_boss_is_found_by_records_alone() -> None:
    """Who leads others is placed above who does not, well above chance. Sealed hides who wrote, and not who gets most."""
    company = invented()
    standard = scores.above(people.bosses(company.records), company.bosses)
    sealed = scores.above(people.busiest(company.records), company.bosses)
    assert standard > 0.7
    assert sealed > 0.6


def test_answers_are_timed() -> None:
    """From the first question that is open to the next letter back; what comes after a day is none."""
    records = [
        record
        for start in (0.0, 1_000.0, 2_000.0, 200_000.0)
        for record in (
            Record(start, "ann", "bob"),
            Record(start + 5, "ann", "bob"),
            Record(start + (300 if start < 200_000 else 90_000), "bob", "ann"),
        )
    ]
    own, answered = people.answers(records)
    assert own == {"bob": 300}
    assert answered == {"ann": 300}


def test_pairs_are_guessed_from_times_alone() -> None:
    """Whoever is answered at once gives the pair away, though no sender is written down."""
    chance = random.Random(1)
    names = [f"p{number}" for number in range(20)]
    pairs = [tuple(sorted(chance.sample(names, 2))) for _ in range(10)]
    records = []
    for number in range(1_500):
        one, other = chance.choice(pairs)
        at = number * 700.0 + chance.uniform(0, 300)
        records += [Record(at, None, one), Record(at + chance.uniform(1, 60), None, other)]
    records.sort(key=lambda record: record.at)
    true = {(one, other) for one, other in pairs}
    assert scores.hits(timing.guess(records), true) > 0.8


def test_agreement_is_one_for_the_same_and_nothing_for_chance() -> None:
    """Whatever the groups are called."""
    true = {str(number): number % 3 for number in range(60)}
    renamed = {person: "abc"[group] for person, group in true.items()}
    shuffled = list(true.values())
    random.Random(2).shuffle(shuffled)
    assert scores.agreement(renamed, true) == 1.0
    assert abs(scores.agreement(dict(zip(true, shuffled, strict=True)), true)) < 0.1


def test_above_is_half_by_chance() -> None:
    """And one for who is always above."""
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 3.0}
    assert scores.above(values, {"c", "d"}) == 1.0
    assert scores.above(dict.fromkeys(values, 0.0), {"a"}) == 0.5
    assert scores.above(values, set()) == 0.5


def test_sealed_column_knows_no_sender() -> None:
    """What is concluded without senders is the same whoever sent: nothing of them has slipped in."""
    company = invented(people=40, messages=1_500, days=4)
    names = sorted({record.recipient for record in company.records})
    others = [Record(record.at, names[number % 7], record.recipient) for number, record in enumerate(company.records)]
    honest, changed = timing.guess(company.records), timing.guess(others)
    assert honest == changed
    assert people.busiest(company.records) == people.busiest(others)


def test_report_is_small_however_many_there_are() -> None:
    """What is drawn is bounded; the others are counted."""
    chance = random.Random(3)
    names = [str(number) for number in range(900)]
    trace = "\n".join(f"{chance.choice(names)} {chance.choice(names)} {number}" for number in range(20_000))
    found = report.make(of_trace(trace))
    for column in (found["standard"], found["without"]):
        assert len(column["nodes"]) <= report.NODES
        assert len(column["edges"]) <= report.EDGES
        assert len(column["nodes"]) + column["others"] <= found["people"]
    assert sum(map(sum, found["hours"])) == found["records"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no message"),
        ("# a comment\n1 1 0\n", "no message"),
        ("1 2\n", "line 1"),
        ("1 2 0\n1 2 later\n", "line 2"),
        ("1 2 5\n1 2 4\n", "line 2 .* goes back"),
    ],
)
def test_what_is_no_trace_is_a_sentence(text: str, complaint: str) -> None:
    """With the line."""
    with pytest.raises(BadTrace, match=complaint):
        of_trace(text)


@given(st.lists(st.tuples(st.floats(0, 1e9), st.sampled_from("abc"), st.sampled_from("abc")), max_size=40))
def test_every_record_has_its_hour(found: list[tuple[float, str, str]]) -> None:
    """None is lost, and none counted twice."""
    records = [Record(at, sender, recipient) for at, sender, recipient in found]
    assert sum(map(sum, by_hour(records))) == len(records)
