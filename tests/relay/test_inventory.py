"""The metadata inventory (`relay/inventory`): nothing exists that it does not declare."""

from pathlib import Path

import pytest
import sqlalchemy

from blindrelay.relay import inventory
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.inventory import FIELDS, DataClass, Place, Presence
from blindrelay.relay.inventory.metrics import METRICS, Kind
from blindrelay.relay.store import tables
from blindrelay.relay.store.sqlite import SqliteStore

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metadata-inventory.md"
ON_REQUEST = {DataClass.SUBSCRIBER, DataClass.ACCESS, DataClass.TRAFFIC}


def columns(engine: sqlalchemy.Engine) -> set[str]:
    inspector = sqlalchemy.inspect(engine)
    return {
        f"{table}.{column['name']}" for table in inspector.get_table_names() for column in inspector.get_columns(table)
    }


def test_every_column_is_declared(tmp_path: Path) -> None:
    """What the database really has, and what the inventory declares, is the same."""
    SqliteStore.open(tmp_path / "relay.db").close()
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'relay.db'}")
    found = columns(engine)
    engine.dispose()

    assert found - inventory.declared(Place.DATABASE) == set(), "columns that the inventory does not declare"
    assert inventory.declared(Place.DATABASE) - found == set(), "declared columns that do not exist"


def test_every_column_of_the_desk_is_declared(tmp_path: Path) -> None:
    """The desk's own database holds what is declared for it, and nothing else."""
    Journal.open(tmp_path).close()
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'desk.sqlite'}")
    found = {where for where in columns(engine) if not where.startswith("sqlite_")}
    engine.dispose()

    assert found == inventory.declared(Place.DESK)


def test_new_column_would_be_noticed() -> None:
    """The check above fails for a column that somebody adds."""
    metadata = sqlalchemy.MetaData()
    for table in tables.metadata.tables.values():
        table.to_metadata(metadata)
    metadata.tables["traffic"].append_column(sqlalchemy.Column("subject", sqlalchemy.Text))
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    metadata.create_all(engine)

    assert columns(engine) - inventory.declared(Place.DATABASE) == {"traffic.subject"}
    engine.dispose()


def test_no_label_has_a_value_of_its_own() -> None:
    """A label's values are written down, and few: no name, address or number of anybody can become one."""
    for metric in METRICS:
        for label, values in metric.labels.items():
            assert 0 < len(values) < 60, f"{metric.name}{{{label}}}"


def test_metrics_are_named_by_the_conventions() -> None:
    """Prometheus: what only grows ends with `_total`, and nothing else does; base units."""
    for metric in METRICS:
        assert metric.name.startswith(("blindrelay_", "process_"))
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert not metric.name.endswith(("_ms", "_milliseconds", "_kb", "_mb"))


def test_names_are_declared_once() -> None:
    """A field has one entry."""
    names = [(field.place, field.where) for field in FIELDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.place.value}:{field.where}")
def test_only_metadata_can_be_disclosed(field: inventory.Field) -> None:
    """What is disclosable is in the database, kept, and of one of the three classes; every field has its reasons."""
    if field.disclosable:
        assert field.place is Place.DATABASE
        assert field.data_class in ON_REQUEST
        assert Presence.KEPT in (field.standard, field.sealed)
    assert all((field.record, field.name, field.purpose, field.granularity))


def test_envelopes_are_content() -> None:
    """No field of a waiting envelope is disclosable."""
    assert not [field for field in FIELDS if field.where.startswith("envelope.") and field.disclosable]


def test_sealed_leaves_no_sender_and_no_connection() -> None:
    """In the sealed posture there is neither sender nor AccessRecord."""
    absent = {field.where for field in FIELDS if field.place is Place.DATABASE and field.sealed is Presence.ABSENT}
    assert "traffic.sender_id" in absent
    assert {field.where for field in FIELDS if field.record == "AccessRecord"} <= absent


def test_windows_are_those_of_the_configuration() -> None:
    """Rows and chart tell the configured retention."""
    retention = Retention(traffic_days=7, access_days=3)

    told = {row.where: row.retention for row in inventory.rows(retention)}

    assert (told["traffic.size"], told["access.address"]) == ("7 days", "3 days")
    assert "7 days" in {line.retention for line in inventory.chart(retention)}


def test_chart_fits_a_page() -> None:
    """The chart is for a lawyer: in the order of the classes, without record numbers and log keys, on one page."""
    lines = inventory.chart()
    order = [kind.value for kind in DataClass]

    assert [line.data_class for line in lines] == sorted((line.data_class for line in lines), key=order.index)
    assert len(lines) <= 60
    assert not {"record number", "zeros", "level"} & {line.field for line in lines}


def test_page_is_what_the_registry_prints() -> None:
    """The reference page was printed from this registry."""
    assert PAGE.read_text(encoding="utf-8") == inventory.page(), (
        "run: python -m blindrelay.relay.inventory docs/reference/metadata-inventory.md"
    )
