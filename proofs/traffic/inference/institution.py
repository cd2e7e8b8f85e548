"""An invented institution of which everything is known: departments, who reports to whom, when people write.

It is the simulator's (`blindrelay.clients.simulation.model`); the names of its people say where they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from blindrelay.clients.simulation import model
from blindrelay.clients.simulation.events import Scenario


@dataclass(frozen=True, slots=True)
class Institution:
    """Attributes:
    scenario: what its people write.
    departments: person (`acme.example/sales-3`) -> department.
    above: superior and subordinate, all pairs of one step.
    boss: the first of all.
    """

    scenario: Scenario
    departments: dict[str, str]
    above: list[tuple[str, str]]
    boss: str


def invent(people: int, messages: int, days: int, seed: int = 1) -> Institution:
    """One of this size that writes so much. Raises `ValueError` as `model.imagine` does."""
    tenant = model.tenant_names(1)[0]
    scenario = model.imagine(model.Shape((tenant,), people, messages, 24.0 * days, begins=0.0, seed=seed))
    names = [f"{person.tenant}/{person.user}" for person in scenario.people]
    size = model.TEAM * model.TEAMS_PER_DEPARTMENT
    departments = {name: model.DEPARTMENTS[place // size % len(model.DEPARTMENTS)] for place, name in enumerate(names)}
    return Institution(scenario, departments, list(_above(names, size)), names[0])


def _above(names: list[str], size: int) -> Iterator[tuple[str, str]]:
    """Everybody reports to the lead of their team, leads to the head of their department, heads to the chief."""
    for place, name in enumerate(names):
        head = place // size * size
        lead = head + place % size // model.TEAM * model.TEAM
        superior = lead if place != lead else head if lead != head else 0
        if superior != place:
            yield names[superior], name
