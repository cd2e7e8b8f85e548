"""What the relay holds about a user (`relay/my_data.py`)."""

from collections.abc import Callable

import pytest
import sqlalchemy

from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.vocabulary import DataClass
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.rpc import MyData
from blindrelay.protocol.sizes import MAX_ENVELOPE
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.ports import PreservationOrder
from blindrelay.relay.desk.preservation import Preservations
from blindrelay.relay.inventory import FIELDS, Place
from blindrelay.relay.ledger import DAY
from blindrelay.relay.my_data import MAX_ROWS, Windows, my_data
from blindrelay.relay.store import tables
from blindrelay.relay.store.engine import Store
from support.disclosure import AUTHORISATION, at, decision
from support.ledgered import Calendar, Direct
from support.stored import entry

pytestmark = pytest.mark.both_engines


@pytest.fixture
def direct(open_store: Callable[[], Store]) -> Direct:
    """Accounts 1 and 2 are Ann's phone and laptop, 3 is Bob's."""
    store = open_store()

    def enrol(connection: sqlalchemy.Connection) -> None:
        connection.execute(sqlalchemy.insert(tables.tenant).values(name="a.example", root=b"", registered_day=1))
        devices = (("ann", "phone"), ("ann", "laptop"), ("bob", "phone"))
        for number, (user, device) in enumerate(devices, 1):
            values = {"account_id": number, "tenant": "a.example", "user": user, "device": device, "registered_day": 2}
            connection.execute(sqlalchemy.insert(tables.device).values(certificate=bytes(700), **values))

    store.commit([], [], [enrol])
    return Direct(store)


ANN = UserAddress("a.example", "ann")
# `entry` dates its records a day before.
WINDOWS = Windows(1_700_000_000 + DAY, Retention(traffic_days=30, access_days=30))
LATER = Windows(1_700_000_000 + 40 * DAY, Retention(traffic_days=30, access_days=30))


async def test_all_devices_of_the_user_and_nobody_elses(direct: Direct) -> None:
    """A user sees the records of all own devices, and none of other people's."""
    direct.store.commit(
        [entry(1, mailbox=1, sender=3), entry(2, mailbox=3, sender=2), entry(3, mailbox=3, sender=3)], []
    )

    records = await my_data(direct, ANN, WINDOWS)

    assert [row["device"] for row in records["SubscriberRecord"]] == ["laptop", "phone"]
    assert [row["padded size"] for row in records["TrafficRecord"]] == [1_024, 1_024]
    assert [row["recipient's account"] for row in records["Envelope"]] == [1]


async def test_every_declared_field_about_accounts_is_there(direct: Direct) -> None:
    """What the inventory declares cannot be left out."""
    direct.store.commit([entry(1, mailbox=1, sender=2)], [])

    records = await my_data(direct, ANN, WINDOWS)

    told = {name for rows in records.values() for row in rows for name in row}
    declared = {
        f.name for f in FIELDS if f.place is Place.DATABASE and f.where.startswith(("traffic.", "envelope.", "recent"))
    }
    assert declared <= told


async def test_keys_and_envelopes_are_told_by_their_length(direct: Direct) -> None:
    """An answer is for reading; the sealed envelope itself is not in it."""
    direct.store.commit([entry(1, mailbox=1, payload=b"q" * 1_020)], [])

    records = await my_data(direct, ANN, WINDOWS)

    assert records["Envelope"][0]["sealed envelope"] == "1020 bytes"
    assert isinstance(records["TrafficRecord"][0]["message id"], str)


async def test_the_answer_fits_a_packet(direct: Direct) -> None:
    """Of each kind the newest rows come, the others are counted."""
    for start in range(1, 1_001, 500):
        direct.store.commit([entry(n, mailbox=1, sender=2) for n in range(start, start + 500)], [])

    records = await my_data(direct, ANN, WINDOWS)

    assert len(records["TrafficRecord"]) == MAX_ROWS
    assert {"record": "TrafficRecord", "rows": 1_000 - MAX_ROWS} in records["omitted"]
    assert records["Envelope"][0]["place in the mailbox"] == 1_000
    assert len(MyData(records=records).model_dump_json()) < MAX_ENVELOPE // 2


async def test_stranger_has_no_records(direct: Direct) -> None:
    """Who is not enrolled is told that there is nothing."""
    records = await my_data(direct, UserAddress("a.example", "nobody"), WINDOWS)

    assert not any(records.values())


async def preserve(direct: Direct, tell_from: int | None) -> None:
    """Keep what exists of Ann's traffic for ninety days."""
    target = Target(format=TargetFormat.USER, value=str(ANN))
    order = PreservationOrder(
        "case", "d1", decision(target), AUTHORISATION, "police", "Police", classes=frozenset({DataClass.TRAFFIC}),
        targets=(target,), until=at(1_700_000_000 + 90 * DAY), tell_from=None if tell_from is None else at(tell_from),
    )  # fmt: skip
    await Preservations(direct, Calendar(1_700_000_000)).hold(order)


async def test_what_is_kept_for_longer_is_said(direct: Direct) -> None:
    """A record that retention would have deleted is there, and so is the reason."""
    direct.store.commit([entry(1, mailbox=1), entry(2, mailbox=1, accepted_at=LATER.now)], [])
    await preserve(direct, tell_from=LATER.now)

    records = await my_data(direct, ANN, LATER)

    assert len(records["TrafficRecord"]) == 2
    assert records["preserved"] == [{"record": "TrafficRecord", "rows": 1, "because of": "a preservation order"}]
    assert "preserved" not in await my_data(direct, ANN, WINDOWS), "as long as it is inside its window"


@pytest.mark.parametrize("tell_from", [None, LATER.now + 1])
async def test_an_order_that_may_not_be_spoken_of_is_not(direct: Direct, tell_from: int | None) -> None:
    """The answer is the one that there would be without the order."""
    direct.store.commit([entry(1, mailbox=1), entry(2, mailbox=1, accepted_at=LATER.now)], [])
    await preserve(direct, tell_from)

    records = await my_data(direct, ANN, LATER)

    assert [row["time of acceptance"] for row in records["TrafficRecord"]] == [LATER.now]
    assert "preserved" not in records
