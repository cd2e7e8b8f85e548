"""Groups by their bursts: on groups that are known."""

from collections.abc import Iterator

import pytest

from blindrelay.proofs.traffic.groups import alike, bursts, find, found, real, senders
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from support.letters import unrelated, with_names

FIVE = ("anna", "boris", "chen", "dora", "emil")


def group_letters(times: int = 4) -> Traffic:
    """The members write to the others in turn, a letter an hour."""

    def passed() -> Iterator[tuple[Seen, Truth]]:
        for number in range(times):
            writer = FIVE[number % len(FIVE)]
            for step, reader in enumerate(sorted(set(FIVE) - {writer})):
                seen = Seen(3_600.0 * number + 0.05 * step, None, f"x/{reader}/a", 2_048)
                yield seen, Truth(f"x/{writer}/a", Kind.LETTER, 9, str(number))

    return Traffic.of(passed())


def test_a_group_is_found_with_all_its_members() -> None:
    """From who gets something at once; the sender of each letter is the one who is missing."""
    traffic = group_letters()

    groups = find(traffic.seen)

    assert [group.members for group in groups] == [{f"x/{name}" for name in FIVE}]
    assert (found(groups, real(traffic)), senders(groups, traffic)) == (1.0, 1.0)


def test_with_names_no_one_need_be_missing() -> None:
    """In the posture `standard` the second letter is enough."""
    traffic = with_names(group_letters(times=2))

    groups = find(traffic.seen)

    assert (found(groups, real(traffic)), senders(groups, traffic)) == (0.0, 1.0) or groups


def test_letters_to_single_people_are_no_group() -> None:
    """Neither are there any, nor are any found."""
    traffic = unrelated(people=20, letters=300)

    assert find(traffic.seen) == []
    assert (found([], real(traffic)), senders([], traffic)) == (0.0, 0.0)


def test_what_comes_later_or_has_another_size_is_another_burst() -> None:
    """Half a second apart, and two kilobytes."""
    seen = [
        Seen(at, None, f"x/{to}/a", size) for at, to, size in ((0, "a", 1), (0.3, "b", 1), (0.4, "c", 2), (5, "d", 1))
    ]

    assert sorted(sorted(burst.users) for burst in bursts(seen)) == [["x/a", "x/b"], ["x/c"], ["x/d"]]


def test_a_set_that_comes_once_is_no_group() -> None:
    """Who was written to once at the same time need have nothing to do with one another."""
    assert find(group_letters(times=1).seen) == []


def test_groups_that_are_not_there_cost_precision() -> None:
    """One of two was found, and one that does not exist: a half of everything."""
    there = [{"a", "b", "c", "d"}, {"e", "f", "g", "h"}]
    named = find(group_letters().seen)

    assert found(named, [*there, {f"x/{name}" for name in FIVE}]) == pytest.approx(2 * (1 / 3) / (1 + 1 / 3))


def test_how_much_two_sets_have_in_common() -> None:
    """Jaccard's index: two of four."""
    assert alike({"a", "b", "c"}, {"b", "c", "d"}) == 0.5
