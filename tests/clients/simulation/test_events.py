"""Scenarios."""

from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.protocol.address import UserAddress


def test_a_scenario_counts_a_letter_once_for_each_recipient() -> None:
    """A letter to two people is two messages, and the scenario lasts until its last event."""
    people = tuple(UserAddress("acme.example", name) for name in "abc")
    scenario = Scenario(people, (Event(1.0, 0, (1, 2)), Event(9.0, 1, (0,))))
    assert scenario.messages == 3
    assert scenario.seconds == 9.0
    assert Scenario((), ()).seconds == 0.0
