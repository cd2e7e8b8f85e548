"""What a granted demand selects (`relay/desk/selection.py`)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindrelay.policies.package import KINDS
from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.vocabulary import DataClass, Outcome
from blindrelay.relay import inventory
from blindrelay.relay.desk.selection import (
    PLACES,
    ClassSelection,
    NotSelectable,
    Selection,
    accounts_of,
    rows,
    select_demand,
)
from blindrelay.relay.inventory import FIELDS, Place
from blindrelay.relay.ledger import DAY, HOUR, Window
from blindrelay.relay.store.engine import Store
from blindrelay.relay.store.metadata import MetadataReader, open_metadata_reader
from blindrelay.relay.store.sqlite import SqliteStore
from support.disclosure import (
    NOW,
    PEOPLE,
    WEEK,
    add_connections,
    add_traffic,
    at,
    decision,
    device,
    enrol,
    later,
    span,
    user,
)

pytestmark = pytest.mark.both_engines

SUBSCRIBER, ACCESS, TRAFFIC = DataClass.SUBSCRIBER, DataClass.ACCESS, DataClass.TRAFFIC


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    store = open_store()
    enrol(store)
    return store


@pytest.fixture
def reader(store: Store) -> Iterator[MetadataReader]:
    with store.metadata_reader() as reader:
        yield reader


def selected(reader: MetadataReader, selection: Selection) -> dict[DataClass, list[Any]]:
    return {
        chosen.data_class: [row for piece in rows(chosen, reader) for row in piece.rows] for chosen in selection.classes
    }


def test_every_disclosable_field_has_a_place_and_every_place_a_field() -> None:
    """Adding a field to the inventory without deciding where it goes in a package, or the reverse, fails here."""
    disclosable = {field.where for field in FIELDS if field.place is Place.DATABASE and field.disclosable}
    fields = {(kind.model.model_fields["record"].default, name) for kind in KINDS.values() for name in kind.fields}

    assert set(PLACES) == disclosable
    assert {place for place in PLACES.values() if place is not None} == fields


def test_a_disclosable_field_is_of_the_class_of_its_place() -> None:
    """A column does not change its class on the way into a package."""
    declared = {field.where: field for field in FIELDS if field.place is Place.DATABASE}
    for where, place in PLACES.items():
        if place is not None:
            assert declared[where].data_class == place[0].upper(), where
    assert {tuple(where.split(".")) for where in PLACES} == inventory.disclosable_columns()


def test_users_and_devices_are_the_only_targets(reader: MetadataReader) -> None:
    """A user is all of their devices; a tenant or everybody is never looked up."""
    assert accounts_of([user("bob")], reader) == (1, 2)
    assert accounts_of([device("bob", "laptop"), device("eve")], reader) == (2, 4)
    assert accounts_of([user("nobody"), Target(format=TargetFormat.USER, value="' OR 1=1 --")], reader) == ()
    for target in (
        Target(format=TargetFormat.TENANT, value="globex.example"),
        Target(format=TargetFormat.ALL_USERS, value="*"),
    ):
        with pytest.raises(NotSelectable):
            accounts_of([user("bob"), target], reader)


@pytest.mark.parametrize("outcome", [o for o in Outcome if not o.discloses])
def test_what_is_not_granted_is_not_selected(reader: MetadataReader, outcome: Outcome) -> None:
    """Of a demand that discloses nothing, and of a class that discloses nothing, there are no records."""
    granted = decision(user("bob"))
    with pytest.raises(NotSelectable):
        select_demand(replace(granted, outcome=outcome), reader, NOW)
    with pytest.raises(NotSelectable):
        select_demand(
            replace(granted, classes=tuple(replace(c, outcome=outcome) for c in granted.classes)), reader, NOW
        )
    partly = replace(granted, classes=(replace(granted.classes[0], outcome=outcome), *granted.classes[1:]))

    assert len(select_demand(partly, reader, NOW).classes) == 2


@pytest.mark.parametrize("data_class", [DataClass.CONTENT, DataClass.KEYS])
def test_content_is_not_selectable_whatever_a_decision_says(reader: MetadataReader, data_class: DataClass) -> None:
    """If the policies failed and granted it: there is no query for it."""
    with pytest.raises(NotSelectable):
        select_demand(decision(user("bob"), classes=frozenset({data_class, TRAFFIC})), reader, NOW)


def test_a_grant_without_a_window_is_not_selectable(reader: MetadataReader) -> None:
    """No window is not all time."""
    granted = decision(user("bob"))
    with pytest.raises(NotSelectable):
        select_demand(replace(granted, classes=tuple(replace(c, window=None) for c in granted.classes)), reader, NOW)


def test_traffic_is_cut_to_targets_and_window(store: Store, reader: MetadataReader) -> None:
    """What a target sent or received, from the first second of the window up to and without the last."""
    since = NOW - 7 * DAY
    add_traffic(
        store,
        (1, 3, since - 1), (1, 3, since), (3, 2, NOW - 1), (1, 3, NOW), (3, 4, NOW - 5), (None, 1, NOW - 6),
        (None, 3, NOW - 6),
    )  # fmt: skip

    found = selected(reader, select_demand(decision(user("bob")), reader, NOW))[TRAFFIC]

    assert [(row[1], row[2], row[3]) for row in found] == [(1, 3, since), (3, 2, NOW - 1), (None, 1, NOW - 6)]


def test_what_came_after_the_decision_is_not_in_it(store: Store, reader: MetadataReader) -> None:
    """A window that reaches into the future ends with the moment of the decision: a package is not a real-time order."""
    add_traffic(store, (1, 3, NOW - 1), (1, 3, NOW), (1, 3, NOW + 60))
    ahead = decision(user("bob"), window=span(NOW - DAY, NOW + DAY))

    assert len(selected(reader, select_demand(ahead, reader, NOW))[TRAFFIC]) == 1


def test_connections_are_cut_to_targets_and_window(store: Store, reader: MetadataReader) -> None:
    """Those that began in an hour of the window; an end that lies behind it is not told."""
    window = span(NOW - 2 * DAY, NOW - DAY)
    since, until = NOW - 2 * DAY, NOW - DAY
    add_connections(
        store,
        (1, since - 2 * HOUR, since + HOUR), (1, since + HOUR, since + 2 * HOUR), (2, until - HOUR, until + 3 * HOUR),
        (2, until - 2 * HOUR, None), (3, since + HOUR, None), (1, until + HOUR, None),
    )  # fmt: skip

    found = selected(reader, select_demand(decision(user("bob"), window=window), reader, NOW))[ACCESS]

    assert [(row[0], row[2] is None) for row in found] == [(1, False), (2, True), (2, True)]
    assert all(since <= row[1] * HOUR < until for row in found)


def test_subscribers_are_as_they_were_in_the_window(store: Store, reader: MetadataReader) -> None:
    """A device that came later is not there; a later day of being seen is left out."""
    chosen = ClassSelection(SUBSCRIBER, (1, 2), Window(0, 19_000 * DAY))
    assert selected(reader, Selection((chosen,)))[SUBSCRIBER] == []

    enrolled = selected(reader, select_demand(decision(user("bob")), reader, NOW))[SUBSCRIBER]

    assert [row[:4] for row in enrolled] == [
        (1, "globex.example", "bob", "phone"),
        (2, "globex.example", "bob", "laptop"),
    ]


@pytest.mark.parametrize(("seen", "told"), [(None, None), (19_674, 19_674), (19_670, 19_670), (19_676, None)])
def test_last_seen_is_told_when_it_is_in_the_window(
    open_store: Callable[[], Store], seen: int | None, told: int | None
) -> None:
    """`NOW` is on day 19,675."""
    store = open_store()
    enrol(store, last_seen_day=seen)
    with store.metadata_reader() as reader:
        found = selected(reader, select_demand(decision(device("eve")), reader, NOW))[SUBSCRIBER]

    assert [row[7] for row in found] == [told]


numbers = st.integers(1, len(PEOPLE))
times = st.integers(NOW - 40, NOW + 40)
messages = st.lists(st.tuples(st.none() | numbers, numbers, times), max_size=30)


@settings(max_examples=40)
@given(data=st.data(), sent=messages)
def test_narrowing_never_adds_a_record(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, sent: Any
) -> None:
    """Fewer accounts or a shorter window select a subset, and every record is one of a target's, inside the window."""
    store = SqliteStore.open(tmp_path_factory.mktemp("narrowing") / "relay.db", reserve_bytes=0)
    try:
        add_traffic(store, *sent)
        accounts = data.draw(st.lists(numbers, unique=True).map(sorted).map(tuple))
        fewer = data.draw(st.lists(st.sampled_from(accounts), unique=True).map(tuple)) if accounts else ()
        since, until = sorted((data.draw(times), data.draw(times)))
        start, end = sorted((data.draw(st.integers(since, until)), data.draw(st.integers(since, until))))
        with open_metadata_reader(store.path) as reader:
            wide, narrow = (
                selected(reader, Selection((ClassSelection(TRAFFIC, of, window),)))[TRAFFIC]
                for of, window in ((accounts, Window(since, until)), (fewer, Window(start, end)))
            )
    finally:
        store.close()

    assert set(narrow) <= set(wide)
    for row in wide:
        assert {row[1], row[2]} & set(accounts)
        assert since <= row[3] < until


def test_parts_of_a_second_do_not_widen_a_window(store: Store, reader: MetadataReader) -> None:
    """A window from half a second on begins with the next whole one."""
    add_traffic(store, (1, 3, NOW - 10), (1, 3, NOW - 9))
    half = span(NOW - 9.5, NOW - 8.5)

    found = selected(reader, select_demand(decision(user("bob"), window=half), reader, later(0).timestamp()))[TRAFFIC]

    assert [row[3] for row in found] == [NOW - 9]
    assert WEEK.end - timedelta(days=7) == at(NOW - 7 * DAY)
