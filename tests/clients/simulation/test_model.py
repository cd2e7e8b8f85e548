"""The modelled enterprise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindrelay.clients.simulation.model import HOUR, Shape, busyness, imagine, tenant_names
from blindrelay.protocol.address import check_tenant


@given(
    tenants=st.integers(1, 4),
    extra=st.integers(0, 60),
    messages=st.integers(1, 400),
    hours=st.floats(0.1, 30),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40)
def test_every_scenario_can_be_played(tenants: int, extra: int, messages: int, hours: float, seed: int) -> None:
    """Exactly as many messages as asked for, in order of time, within the hours, to others and to nobody twice."""
    scenario = imagine(Shape(tenant_names(tenants), 2 * tenants + extra, messages, hours, seed=seed))
    assert len(scenario.people) == len(set(scenario.people)) == 2 * tenants + extra
    assert len(list(scenario.tenants())) == tenants
    assert scenario.messages == messages
    times = [event.at for event in scenario.events]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= hours * HOUR
    for event in scenario.events:
        assert event.sender not in event.recipients
        assert len(event.recipients) == len(set(event.recipients)) > 0


def test_a_seed_is_a_scenario() -> None:
    """The same seed gives the same events, another seed gives others."""
    shape = Shape(tenant_names(2), 30, 500, 8, seed=7)
    assert imagine(shape) == imagine(shape)
    assert imagine(shape) != imagine(Shape(tenant_names(2), 30, 500, 8, seed=8))


def test_the_night_is_quiet() -> None:
    """Over a whole day, hardly anything is written between midnight and six."""
    events = imagine(Shape(tenant_names(1), 50, 5_000, 24, begins=0)).events
    night = sum(event.at < 6 * HOUR for event in events)
    assert night < len(events) * 0.05


def test_people_write_mostly_to_their_own_tenant_and_also_to_others() -> None:
    """Letters cross between tenants, but not most of them; and there are answers and letters to several."""
    scenario = imagine(Shape(tenant_names(4), 200, 5_000, 8))
    pairs = [(event.sender, recipient) for event in scenario.events for recipient in event.recipients]
    abroad = sum(scenario.people[a].tenant != scenario.people[b].tenant for a, b in pairs)
    assert 0 < abroad < len(pairs) / 3
    assert any(len(event.recipients) > 5 for event in scenario.events)
    assert {(b, a) for a, b in pairs} & set(pairs)


@pytest.mark.parametrize(
    "shape",
    [
        Shape((), 5, 1, 1),
        Shape(tenant_names(3), 5, 1, 1),
        Shape(tenant_names(1), 2, 0, 1),
        Shape(tenant_names(1), 2, 1, 0),
    ],
)
def test_an_impossible_shape_is_refused(shape: Shape) -> None:
    """Too few people, no messages or no time are errors, not an endless search."""
    with pytest.raises(ValueError, match="expected at least"):
        imagine(shape)


@given(st.floats(0, 1_000))
def test_a_day_repeats(hour: float) -> None:
    """The curve is defined at every hour, within 0 and 1, and has a period of 24."""
    assert 0 < busyness(hour) <= 1
    assert busyness(hour) == pytest.approx(busyness(hour + 24), abs=1e-6)


def test_tenants_have_names_of_their_own() -> None:
    """However many there are, and a suffix keeps two runs apart."""
    names = tenant_names(40)
    assert len(set(names)) == 40
    assert not set(names) & set(tenant_names(40, "-x1"))
    for name in names:
        check_tenant(name)
