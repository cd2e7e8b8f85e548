"""The dashboard that comes along (`relay/operations/dashboard.py`)."""

import json
import re
from pathlib import Path

import pytest

from blindrelay.relay.inventory.metrics import METRICS, Kind
from blindrelay.relay.operations.dashboard import PANELS, Panel, dashboard

FILE = Path(__file__).parents[3] / "deploy" / "grafana" / "blindrelay.json"
BY_NAME = {metric.name: metric for metric in METRICS}
#: A metric's name, and what is between the braces behind it.
USE = re.compile(r"\b((?:blindrelay|process)_[a-z_]+)(?:\{([^}]*)\})?")
#: What Prometheus adds to each metric itself.
SCRAPED = {"instance", "job"}


def test_the_file_is_what_the_module_prints() -> None:
    """It was written since the last change."""
    assert json.loads(FILE.read_text()) == dashboard(), (
        "run: python -m blindrelay.relay.operations.dashboard deploy/grafana/blindrelay.json"
    )


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_queries_are_about_metrics_and_labels_that_there_are(panel: Panel) -> None:
    """A renamed metric would leave an empty panel, which looks like a quiet relay."""
    for query, legend in panel.queries:
        uses = USE.findall(query)
        assert uses, query
        labels: set[str] = set()
        for name, matchers in uses:
            metric = BY_NAME[re.sub("_bucket$", "", name)]
            assert ("_bucket" in name) == (metric.kind is Kind.HISTOGRAM), query
            known = set(metric.labels) | SCRAPED | ({"le"} if metric.kind is Kind.HISTOGRAM else set())
            labels |= known
            assert set(re.findall(r"(\w+)[=!]", matchers)) <= known, query
            assert (metric.kind is Kind.GAUGE) != ("rate(" in query), query
        assert set(re.findall(r"by \(([a-z]+)\)", query)) <= labels, query
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels, legend


def test_every_metric_of_the_relay_is_on_it() -> None:
    """What is worth counting is worth looking at."""
    shown = {
        re.sub("_bucket$", "", name) for panel in PANELS for query, _ in panel.queries for name, _ in USE.findall(query)
    }
    own = {metric.name for metric in METRICS if metric.name.startswith("blindrelay_")}
    assert own - shown == {
        "blindrelay_build_info",  # names the nodes
        "blindrelay_tenants",
        "blindrelay_devices",
        "blindrelay_retention_deleted_total",
    }


def test_panels_do_not_overlap() -> None:
    """Each has a place of its own on Grafana's 24 columns."""
    cells: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & cells
        assert place["x"] + place["w"] <= 24
        cells |= own
