"""Who is shut out (`relay/suspension.py`)."""

from hypothesis import given
from hypothesis import strategies as st

from blindrelay.relay.suspension import Suspensions, sentence

_WHERE = st.sampled_from(["pk", "us", "in"])
_TENANTS = st.sampled_from([f"t{number}.example" for number in range(4)])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), _TENANTS, st.none() | _WHERE),
        st.tuples(st.just("suspend"), st.frozensets(_WHERE), st.none()),
    ),
    max_size=20,
)


@given(_STEPS)
def test_shut_out_is_who_is_where_it_is_suspended(steps: list[tuple[str, object, str | None]]) -> None:
    """Whatever comes first, the move of a tenant or the suspension; and the mapping that the doors hold on to is current."""
    suspensions, seats, suspended = Suspensions(), dict[str, str | None](), frozenset[str]()
    held = suspensions.closed
    for name, first, second in steps:
        if name == "place":
            seats[str(first)] = second
            suspensions.place(str(first), second)
        else:
            suspended = frozenset(first)  # type: ignore[call-overload]
            suspensions.suspend(suspended)

    assert dict(held) == {tenant: where for tenant, where in seats.items() if where in suspended}


def test_the_sentence_is_about_the_place_alone() -> None:
    """Two devices of a jurisdiction are told the same, and that nothing is lost."""
    suspensions = Suspensions()
    suspensions.place("a.example", "pk")
    suspensions.place("b.example", "pk")
    suspensions.suspend(["pk"])

    assert suspensions.reason("a.example") == suspensions.reason("b.example") == sentence("pk")
    assert "kept" in sentence("pk")
    assert suspensions.reason("c.example") is None
