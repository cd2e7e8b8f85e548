"""Departments from a graph: on graphs whose departments are known."""

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.traffic.inference.communities import accuracy, guess, infer
from blindrelay.proofs.traffic.inference.graph import Edge, edge


def cliques(count: int, size: int) -> dict[Edge, float]:
    """Departments in which everybody talks to everybody, and one edge from each to the next."""
    graph = {
        edge(f"{clique}-{one}", f"{clique}-{other}"): 1.0
        for clique in range(count)
        for one, other in combinations(range(size), 2)
    }
    return graph | {edge(f"{clique}-0", f"{(clique + 1) % count}-1"): 1.0 for clique in range(count)}


def department(graph: dict[Edge, float]) -> dict[str, str]:
    """The truth, by the names."""
    return {person: person.partition("-")[0] for each in graph for person in each}


def test_cliques_are_found_whole() -> None:
    """The textbook's ring of cliques (Fortunato, Barthelemy: Resolution limit in community detection, 2007)."""
    graph = cliques(count=6, size=5)

    found = infer(graph)

    assert accuracy(found, department(graph)) == pytest.approx(1.0)
    assert len(set(found.values())) == 6


def test_the_largest_is_the_first() -> None:
    """A department of seven, and one of three."""
    graph = {edge(f"a-{one}", f"a-{other}"): 1.0 for one, other in combinations(range(7), 2)}
    graph |= {edge(f"b-{one}", f"b-{other}"): 1.0 for one, other in combinations(range(3), 2)}

    found = infer(graph)

    assert {found[person] for person in department(graph) if person.startswith("a")} == {0}
    assert {found[person] for person in department(graph) if person.startswith("b")} == {1}


def test_stronger_edges_hold_together() -> None:
    """Four in a circle: the two strong edges make two pairs."""
    found = infer({("a", "b"): 9.0, ("b", "c"): 1.0, ("c", "d"): 9.0, ("a", "d"): 1.0})

    assert found["a"] == found["b"] != found["c"] == found["d"]


def test_communities_that_are_handed_out_by_lot_are_worth_little() -> None:
    """And with many small ones it is not nothing: the guess says how much."""
    graph = cliques(count=6, size=5)
    truth = department(graph)

    assert 0 < guess(infer(graph), truth) < 0.5
    assert accuracy(dict.fromkeys(truth, 0), truth) == 0.0


def test_of_no_graph_there_are_no_communities() -> None:
    """Nobody is in one."""
    assert infer({}) == {}


@given(st.integers(0, 1_000))
def test_everybody_is_in_one_community_whatever_the_graph(seed: int) -> None:
    """And the same graph gives the same ones."""
    chance = random.Random(seed)
    graph = {edge(*chance.sample("abcdefgh", 2)): chance.uniform(0.1, 5) for _ in range(12)}

    found = infer(graph)

    assert found.keys() == {person for each in graph for person in each}
    assert sorted(set(found.values())) == list(range(len(set(found.values()))))
    assert infer(graph) == found
