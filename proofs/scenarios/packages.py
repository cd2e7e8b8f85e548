"""Whether a package holds what was expected, and nothing that was not granted."""

from collections import Counter
from datetime import datetime, timedelta

from blindrelay.clients.authority.package import AnyRecord
from blindrelay.policies.decision import ClassDecision, DemandDecision
from blindrelay.policies.records import AccessRecord, SubscriberRecord, TrafficRecord
from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.scenarios.expectations import PackageExpectation
from blindrelay.policies.vocabulary import METADATA, DataClass
from blindrelay.proofs.scenarios.comparison import Comparison
from blindrelay.protocol.address import DeviceAddress

#: Account number -> device: the world's own knowledge of who is who.
People = dict[int, DeviceAddress]


def compare_package(
    expected: PackageExpectation,
    found: list[AnyRecord],
    decision: DemandDecision | None,
    people: People,
    part: Comparison,
) -> None:
    """Compare counts and people with what was expected, and each record with what the decision grants."""
    by_class = count(found)
    for data_class in sorted(METADATA):
        part.count(f"records.{data_class}", expected.records.get(data_class, 0), by_class[data_class])  # type: ignore[call-overload]
    granted = {one.data_class: one for one in decision.classes if one.outcome.discloses} if decision else {}
    about: set[str] = set()
    for record in found:
        data_class = class_of(record)
        if data_class not in granted:
            part.differs(f"records.{data_class}", "no record of a class that was not granted", record)
            continue
        accounts = accounts_of(granted[data_class].targets, people)
        concerned = _accounts(record) & accounts
        if not concerned:
            part.differs("targets", f"records of {_names(accounts, people)}", record)
        if not _is_within(record, granted[data_class]):
            part.differs("window", f"records within {granted[data_class].window}", record)
        about |= {str(people[account].owner) for account in concerned}
    part.checked += 1
    if expected.about is not None:
        part.same("about", set(expected.about), about)


def count(records: list[AnyRecord] | list[TrafficRecord | AccessRecord]) -> Counter[DataClass]:
    """How many there are of each class."""
    return Counter(class_of(record) for record in records)


def class_of(record: AnyRecord) -> DataClass:
    """What kind of record it is."""
    match record:
        case SubscriberRecord():
            return DataClass.SUBSCRIBER
        case AccessRecord():
            return DataClass.ACCESS
        case TrafficRecord():
            return DataClass.TRAFFIC


def accounts_of(targets: tuple[Target, ...], people: People) -> set[int]:
    """The accounts that targets name."""
    names = {(target.format, target.value) for target in targets}
    return {
        account
        for account, device in people.items()
        if (TargetFormat.USER, str(device.owner)) in names or (TargetFormat.DEVICE, str(device)) in names
    }


def _accounts(record: AnyRecord) -> set[int]:
    if isinstance(record, TrafficRecord):
        return {record.recipient_id} | ({record.sender_id} if record.sender_id is not None else set())
    return {record.account_id}


def _is_within(record: AnyRecord, granted: ClassDecision) -> bool:
    window = granted.window
    if window is None or isinstance(record, SubscriberRecord):
        return True
    if isinstance(record, TrafficRecord):
        return window.contains(record.accepted)
    # Connections are kept by the hour: one that was opened in the hour in which the window begins may have been within.
    return _hour(window.start) <= record.opened < window.end


def _hour(moment: datetime) -> datetime:
    return moment - timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)


def _names(accounts: set[int], people: People) -> str:
    return ", ".join(sorted({str(people[account].owner) for account in accounts})) or "nobody"
