"""Who talks to whom: on people of whom it is known."""

from blindrelay.proofs.traffic.inference.graph import accuracy, disclosed, edge, guess, infer, named, true
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from support.letters import answered, unrelated, with_names


def test_names_are_the_graph() -> None:
    """Where senders are written down, every pair is known, by how much they write."""
    traffic = with_names(answered(pairs=3, letters=4, after=lambda _: 3.0))

    assert infer(traffic.seen) == {edge(f"x/w{pair}", f"x/r{pair}"): 8 for pair in range(3)}
    assert accuracy(infer(traffic.seen), true(traffic)) == 1.0


def test_what_comes_together_is_the_graph_where_there_are_no_names() -> None:
    """Twenty pairs, with receipts within seconds: most of the strongest edges are those, where a guess has one in forty."""
    traffic = answered(pairs=20, letters=12, after=lambda _: 3.0)

    assert accuracy(infer(traffic.seen), true(traffic)) > 0.5 > 10 * guess(true(traffic))


def test_what_does_not_belong_together_gives_a_guess() -> None:
    """Without answers, an edge is as likely to be there as not."""
    traffic = unrelated(people=40, letters=400)

    truth = true(traffic)
    assert abs(accuracy(disclosed(traffic.seen), truth) - guess(truth)) < 0.15


def test_own_devices_are_no_acquaintance() -> None:
    """A copy for one's own phone is not talk."""
    copy = Seen(0.0, "x/alice/laptop", "x/alice/phone", 2_048)

    assert named([copy]) == {}
    assert true(Traffic.of([(copy, Truth("x/alice/laptop", Kind.COPY, 9, "one"))])) == set()


def test_of_nothing_there_is_no_graph() -> None:
    """And nothing of it is known."""
    assert (infer(()), accuracy({}, set()), guess(set())) == ({}, 0.0, 0.0)


def test_a_graph_is_scored_by_its_strongest_edges() -> None:
    """Two are real: one is among the two strongest."""
    graph = {("a", "b"): 3.0, ("a", "c"): 2.0, ("b", "c"): 1.0}

    assert accuracy(graph, {("a", "b"), ("b", "c")}) == 0.5
    assert guess({("a", "b"), ("b", "c")}) == 2 / 3
