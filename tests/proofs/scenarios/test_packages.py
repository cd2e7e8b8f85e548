"""A package is compared with what was expected of it, and each record with what was granted."""

from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest

from blindrelay.clients.authority.package import AnyRecord
from blindrelay.policies.decision import ClassDecision, DemandDecision
from blindrelay.policies.records import AccessRecord, SubscriberRecord, TrafficRecord
from blindrelay.policies.request import Target, TargetFormat, Timespan
from blindrelay.policies.scenarios.expectations import PackageExpectation
from blindrelay.policies.vocabulary import METADATA, DataClass, Outcome, TaskStatus
from blindrelay.proofs.scenarios.comparison import Comparison
from blindrelay.proofs.scenarios.packages import compare_package
from blindrelay.protocol.address import DeviceAddress

START = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
END = START + timedelta(days=5)
PEOPLE = {
    1: DeviceAddress.parse("acme.example/alice/laptop"),
    2: DeviceAddress.parse("acme.example/alice/phone"),
    3: DeviceAddress.parse("globex.example/bob/phone"),
    4: DeviceAddress.parse("globex.example/carol/phone"),
}


def traffic(sender: int | None, recipient: int, at: datetime = START) -> TrafficRecord:
    """A message."""
    return TrafficRecord(message_id="0" * 32, sender_id=sender, recipient_id=recipient, accepted=at, size=2_048)


def access(account: int, at: datetime) -> AccessRecord:
    """A connection."""
    return AccessRecord(
        account_id=account, opened=at, closed=None, address=IPv4Address("127.0.0.1"), client_version=None
    )


def subscriber(account: int) -> SubscriberRecord:
    """Who is enrolled."""
    return SubscriberRecord(
        account_id=account,
        tenant="acme.example",
        user="alice",
        device="laptop",
        jurisdiction=None,
        tenant_registered=date(2026, 1, 1),
        registered=date(2026, 1, 1),
        last_seen=None,
    )


GOOD: list[AnyRecord] = [
    subscriber(1),
    access(1, START.replace(minute=0)),
    traffic(1, 3),
    traffic(3, 2, END - timedelta(seconds=1)),
    traffic(None, 1),
]
RECORDS = {"SUBSCRIBER": 1, "ACCESS": 1, "TRAFFIC": 3}


def decision(*classes: DataClass) -> DemandDecision:
    """These classes of alice's."""
    target, window = Target(format=TargetFormat.USER, value="alice@acme.example"), Timespan(start=START, end=END)
    granted = tuple(
        ClassDecision(one, Outcome.GRANTED, None, TaskStatus.DISCLOSED, (target,), window, ()) for one in classes
    )
    return DemandDecision("d", Outcome.GRANTED, None, TaskStatus.DISCLOSED, granted, ())


def where(got: list[AnyRecord], made: DemandDecision | None = None, **expected: Any) -> list[str]:
    """Which expectations do not hold."""
    comparison = Comparison("p")
    expectation = PackageExpectation.model_validate({"records": RECORDS, **expected})
    compare_package(expectation, got, made or decision(*METADATA), PEOPLE, comparison)
    return [finding.where for finding in comparison.findings]


def test_what_was_granted_is_as_expected() -> None:
    """Counts, people, and every record within targets and window."""
    assert where(GOOD, about=["alice@acme.example"]) == []
    assert where(GOOD, records={**RECORDS, "TRAFFIC": {"at_least": 1, "at_most": 3}}) == []


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"records": {**RECORDS, "TRAFFIC": 2}}, "p.records.TRAFFIC"),
        ({"records": {"SUBSCRIBER": 1, "TRAFFIC": 3}}, "p.records.ACCESS"),
        ({"records": {**RECORDS, "TRAFFIC": {"at_least": 4}}}, "p.records.TRAFFIC"),
        ({"records": {**RECORDS, "TRAFFIC": {"at_most": 2}}}, "p.records.TRAFFIC"),
        ({"about": ["bob@globex.example"]}, "p.about"),
        ({"about": []}, "p.about"),
    ],
)
def test_a_wrong_count_or_person_is_found(expected: dict[str, Any], found: str) -> None:
    """One finding each."""
    assert where(GOOD, **expected) == [found]


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (traffic(3, 4), "p.targets"),
        (traffic(None, 3), "p.targets"),
        (access(3, START), "p.targets"),
        (subscriber(4), "p.targets"),
        (traffic(1, 3, START - timedelta(seconds=1)), "p.window"),
        (traffic(1, 3, END), "p.window"),
        (access(1, START - timedelta(hours=1)), "p.window"),
        (access(1, END), "p.window"),
    ],
)
def test_a_record_outside_of_targets_or_window_is_found(record: AnyRecord, found: str) -> None:
    """Though nobody expects anything about it."""
    assert found in where([*GOOD, record])


def test_a_record_of_a_class_that_was_not_granted_is_found() -> None:
    """However well it fits otherwise."""
    assert where(GOOD, decision(DataClass.SUBSCRIBER, DataClass.TRAFFIC)) == ["p.records.ACCESS"]
