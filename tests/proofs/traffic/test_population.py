"""The invented institution: held to the figures of the real one."""

from collections import Counter
from itertools import pairwise
from statistics import median

import pytest

from blindrelay.clients.simulation.events import Scenario
from blindrelay.proofs.traffic.population import DAY, HOUR, HOURS, invent

PEOPLE, DAYS = 400, 40


@pytest.fixture(scope="module")
def institution() -> Scenario:
    """Forty days of four hundred people."""
    return invent(PEOPLE, DAYS, seed=1)


def share(counts: Counter[int], *keys: int) -> float:
    """Of these keys in all."""
    return sum(counts[key] for key in keys) / counts.total()


def test_as_much_is_written(institution: Scenario) -> None:
    """0.61 letters for each person and working day, to 1.55 recipients each."""
    assert len(institution.events) / PEOPLE / DAYS == pytest.approx(0.61, rel=0.15)
    assert institution.messages / len(institution.events) == pytest.approx(1.55, rel=0.1)


def test_letters_go_to_as_many(institution: Scenario) -> None:
    """83 % to one, 8 % to two."""
    sizes = Counter(len(event.recipients) for event in institution.events)

    assert share(sizes, 1) == pytest.approx(0.83, abs=0.04)
    assert share(sizes, 2) == pytest.approx(0.08, abs=0.03)


def test_a_few_write_most(institution: Scenario) -> None:
    """The half that writes less has a tenth of the letters at most, and nobody has none to speak of."""
    written = sorted(Counter(event.sender for event in institution.events).values())

    assert sum(written[: len(written) // 2]) < 0.15 * sum(written)
    assert len(written) > 0.8 * PEOPLE


def test_a_few_correspondents_get_most(institution: Scenario) -> None:
    """Of what somebody writes who writes something, five people get 68 %."""
    to: dict[int, Counter[int]] = {}
    for event in institution.events:
        to.setdefault(event.sender, Counter()).update(event.recipients)
    shares = [
        sum(count for _, count in each.most_common(5)) / each.total() for each in to.values() if each.total() >= 20
    ]

    assert sum(shares) / len(shares) == pytest.approx(0.68, abs=0.08)


def test_two_thirds_of_correspondents_write_back(institution: Scenario) -> None:
    """67 % of pairs write both ways."""
    pairs = {(event.sender, recipient) for event in institution.events for recipient in event.recipients}

    assert sum((b, a) in pairs for a, b in pairs) / len(pairs) == pytest.approx(0.67, abs=0.1)


def test_answers_take_their_time(institution: Scenario) -> None:
    """Half of those that come within a day come within 78 minutes."""
    waiting: dict[tuple[int, int], float] = {}
    waits: list[float] = []
    for event in institution.events:
        for recipient in event.recipients:
            since = waiting.pop((recipient, event.sender), event.at - DAY)
            waits += [event.at - since] if event.at - since < DAY else []
        waiting.update({(event.sender, recipient): event.at for recipient in event.recipients})

    assert median(waits) == pytest.approx(4_650, rel=0.25)


def test_days_have_office_hours(institution: Scenario) -> None:
    """Most is written from 7 to 15 o'clock by the trace's clock; answers come at night more often than they did there."""
    hours = Counter(int(event.at % DAY // HOUR) for event in institution.events)

    assert share(hours, *range(7, 15)) == pytest.approx(sum(HOURS[7:15]), abs=0.12)


def test_the_same_seed_gives_the_same_letters() -> None:
    """In the order of time."""
    one = invent(50, 2, seed=3)

    assert one == invent(50, 2, seed=3) != invent(50, 2, seed=4)
    assert all(earlier.at <= later.at for earlier, later in pairwise(one.events))


def test_circles_need_people() -> None:
    """A handful is no institution, and it is said how many are."""
    with pytest.raises(ValueError, match="expected 20 at least"):
        invent(19, 1, seed=1)
