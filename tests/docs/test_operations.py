"""The page about the operations endpoint says what the code says."""

import re
from pathlib import Path

from blindrelay.relay.inventory.metrics import METRICS
from blindrelay.relay.operations.report import LogState, Report

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "operations.md").read_text()


def test_every_metric_is_in_the_table() -> None:
    """Name, kind, labels and meaning, in the order of the inventory."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.purpose} |"
        for metric in METRICS
    ]
    documented = [line for line in PAGE.splitlines() if line.startswith(("| `blindrelay_", "| `process_"))]

    assert documented == rows


def test_every_field_of_the_status_is_in_the_table() -> None:
    """What programs may rely on."""
    section = PAGE.split("## `/status`", 1)[1].split("\n## ", 1)[0]
    documented = set(re.findall(r"`([a-z_]+)`", section))

    assert set(Report.model_fields) | set(LogState.model_fields) <= documented
