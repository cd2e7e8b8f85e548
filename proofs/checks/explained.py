"""Which row of the inventory explains each field of a package: every field has one, and that says that it may be given."""

from typing import Final

from blindrelay.policies.records import AccessRecord, Record, SubscriberRecord, TrafficRecord
from blindrelay.proofs.checks.model import Report
from blindrelay.relay.inventory import FIELDS, DataClass, Place

#: Record -> its class, and field -> `table.column` of the inventory. `record` says which kind it is.
EXPLAINED: Final[dict[type[Record], tuple[DataClass, dict[str, str]]]] = {
    SubscriberRecord: (
        DataClass.SUBSCRIBER,
        {
            "account_id": "device.account_id",
            "tenant": "device.tenant",
            "user": "device.user",
            "device": "device.device",
            "jurisdiction": "tenant.jurisdiction",
            "tenant_registered": "tenant.registered_day",
            "registered": "device.registered_day",
            "last_seen": "device.last_seen_day",
        },
    ),
    AccessRecord: (
        DataClass.ACCESS,
        {
            "account_id": "access.account_id",
            "opened": "access.opened_hour",
            "closed": "access.closed_hour",
            "address": "access.address",
            "client_version": "access.client_version",
        },
    ),
    TrafficRecord: (
        DataClass.TRAFFIC,
        {
            "message_id": "traffic.message_id",
            "sender_id": "traffic.sender_id",
            "recipient_id": "traffic.recipient_id",
            "accepted": "traffic.accepted_at",
            "size": "traffic.size",
        },
    ),
}
_KIND: Final = "record"


def examine(report: Report, explained: dict[type[Record], tuple[DataClass, dict[str, str]]] = EXPLAINED) -> None:
    """Every disclosable field of the inventory is metadata; every field of a record is one of those, of the record's class."""
    known = {field.where: field for field in FIELDS if field.place is Place.DATABASE}
    for field in FIELDS:
        report.examined("fields of the inventory")
        if field.disclosable and field.data_class.value not in {"SUBSCRIBER", "ACCESS", "TRAFFIC"}:
            report.find("open-type", f"{field.where} is disclosable and {field.data_class}")
    for model, (data_class, columns) in explained.items():
        for name in model.model_fields.keys() - {_KIND}:
            report.examined("fields of records that the inventory explains")
            row = known.get(columns.get(name, ""))
            if row is None:
                report.find("open-type", f"{model.__name__}.{name} is explained by no row of the inventory")
            elif not row.disclosable or row.data_class is not data_class:
                report.find(
                    "open-type",
                    f"{model.__name__}.{name} is explained by {row.where}, which is {row.data_class} and "
                    f"{'' if row.disclosable else 'not '}to be given",
                )
