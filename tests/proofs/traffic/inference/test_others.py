"""Who is the boss, who works when, who answers how soon; and all of it together, of an institution of which it is known."""

import pytest

from blindrelay.clients.options import Posture
from blindrelay.proofs.traffic.inference import answers, communities, graph, hierarchy, hours, institution
from blindrelay.proofs.traffic.inference.graph import edge
from blindrelay.proofs.traffic.model import Model
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth, kept
from support.letters import HOUR, answered, with_names


def test_who_is_in_the_middle_matters_most() -> None:
    """Of a star, its centre; all together have 1."""
    star = {edge("x/boss", f"x/p{number}"): 1.0 for number in range(6)}

    ranks = hierarchy.infer(star)

    assert hierarchy.place(ranks, "x/boss") == 1
    assert sum(ranks.values()) == pytest.approx(1)
    assert hierarchy.accuracy(ranks, [("x/boss", "x/p0"), ("x/p0", "x/boss")]) == 0.5


def test_pagerank_is_what_it_is_by_hand() -> None:
    """A path of three: with damping d, the middle has (1 + 2d) / (3 (1 + d))."""
    ranks = hierarchy.infer({("a", "b"): 1.0, ("b", "c"): 1.0})

    assert ranks["b"] == pytest.approx((1 + 2 * 0.85) / (3 * (1 + 0.85)), abs=1e-3)


def test_who_is_nowhere_is_last() -> None:
    """And of nobody nothing is known."""
    assert hierarchy.place({"x/a": 1.0}, "x/boss") == 1
    assert (hierarchy.infer({}), hierarchy.accuracy({}, [])) == ({}, 0.0)


def test_days_are_told_by_the_hour() -> None:
    """Sent, where it is written down who sent; received, where it is not."""
    seen = [
        Seen(9 * HOUR, "x/a/1", "x/b/1", 1),
        Seen(33 * HOUR, "x/a/1", "x/b/1", 1),
        Seen(14 * HOUR, None, "x/b/1", 1),
    ]

    days = hours.infer(seen)

    assert (days["x/a"][9], days["x/b"][14], sum(hours.everybody(days))) == (2, 1, 3)


def test_how_alike_two_days_are() -> None:
    """The same shares are the same day; nothing in common is nothing; half is half."""
    assert hours.alike([1, 1], [5, 5]) == 1.0
    assert hours.alike([1, 0], [0, 1]) == 0.0
    assert hours.alike([1, 1], [1, 0]) == 0.5
    assert hours.alike([0, 0], [1, 0]) == 0.0


def test_when_people_write_is_known_where_they_are_named() -> None:
    """And in the other posture not at all, if they receive at other hours than they write."""
    traffic = answered(pairs=5, letters=8, after=lambda _: 12 * HOUR)

    truth = hours.true(traffic)
    letters = Traffic.of(each for each in with_names(traffic) if each[1].kind is Kind.LETTER)
    assert hours.accuracy(hours.infer(letters.seen), truth) == 1.0
    assert hours.accuracy(hours.infer(traffic.seen), truth) < 0.3
    assert hours.accuracy({}, {}) == 0.0


def conversation(wait: dict[str, float], letters: int = 6) -> Traffic:
    """Somebody writes to each of these people every hour, and they answer after their own time."""

    def passed() -> list[tuple[Seen, Truth]]:
        found = []
        for person, seconds in wait.items():
            for number in range(letters):
                at, there, back = number * HOUR, f"x/{person}/a", "x/asker/a"
                found.append((Seen(at, back, there, 1), Truth(back, Kind.LETTER, 1, f"{person}{number}")))
                found.append((Seen(at + 1, there, back, 1), Truth(there, Kind.RECEIPT, 1, f"{person}{number}")))
                answer = Truth(there, Kind.LETTER, 1, f"{person}{number}!")
                found.append((Seen(at + seconds, there, back, 1), answer))
        return found

    return Traffic.of(passed())


def test_who_answers_soon_and_who_lets_others_wait() -> None:
    """A program's receipts do not count as answers."""
    traffic = conversation({"soon": 60.0, "later": 600.0, "late": 3_000.0})

    times = answers.infer(traffic.seen)

    assert {person: times[f"x/{person}"] for person in ("soon", "later", "late")} == {
        "soon": 60.0,
        "later": 600.0,
        "late": 3_000.0,
    }
    assert answers.accuracy(times, answers.true(traffic)) == 1.0


def test_without_names_there_are_no_times() -> None:
    """Whoever knows nothing has half of the order right."""
    traffic = answered(pairs=4, letters=9, after=lambda chance: chance.uniform(60, 600))

    assert answers.infer(traffic.seen) == {}
    assert answers.accuracy({}, {"x/a": 1.0, "x/b": 2.0}) == 0.5
    assert answers.accuracy({}, {}) == 0.0


def test_an_institution_is_known_better_by_its_names() -> None:
    """From what the relay keeps: who talks to whom, departments, superiors and hours, above a guess and better in standard."""
    known = institution.invent(people=100, messages=2_500, days=4)

    scores = {}
    for posture in Posture:
        traffic = Model(known.scenario, posture).play()
        records = kept(traffic.seen)
        found = graph.infer(records)
        departments = communities.infer(found)
        scores[posture] = (
            graph.accuracy(found, graph.true(traffic)),
            communities.accuracy(departments, known.departments),
            hierarchy.accuracy(hierarchy.infer(found), known.above),
        )
        assert scores[posture][0] > graph.guess(graph.true(traffic))
        assert hours.accuracy(hours.infer(records), hours.true(traffic)) > hours.guess(hours.true(traffic))

    assert scores[Posture.STANDARD][0] == 1.0
    assert scores[Posture.STANDARD][1] > scores[Posture.SEALED][1]
    assert scores[Posture.STANDARD][2] > 0.6


def test_everybody_but_the_chief_reports_to_somebody() -> None:
    """By the simulator's own rule."""
    known = institution.invent(people=90, messages=50, days=1)

    subordinates = [subordinate for _, subordinate in known.above]
    assert sorted([known.boss, *subordinates]) == sorted(known.departments)
