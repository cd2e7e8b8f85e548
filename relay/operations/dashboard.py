"""The dashboard for Grafana: `python -m blindrelay.relay.operations.dashboard deploy/grafana/blindrelay.json` writes it.

Its queries are about the metrics of `blindrelay.relay.inventory.metrics`; a test holds them to those that there are.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_JOB: Final = '{instance=~"$instance"}'
_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 24
_STAT_WIDTH, _STAT_HEIGHT = 4, 4


@dataclass(frozen=True, slots=True)
class Panel:
    """A curve or a number. `queries`: PromQL, each with the name of its line; `unit` is one of Grafana's."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""
    single: bool = False


def _rate(metric: str, by: str = "") -> str:
    inner = f"rate({metric}{_JOB}[$__rate_interval])"
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def _sum(metric: str, by: str = "") -> str:
    return f"sum by ({by}) ({metric}{_JOB})" if by else f"sum({metric}{_JOB})"


def _commit(share: str) -> str:
    return f"histogram_quantile({share}, {_rate('blindrelay_commit_seconds_bucket', 'le')})"


PANELS: Final[tuple[Panel, ...]] = (
    Panel("Ready", "none", ((f"min(blindrelay_ready{_JOB})", "ready"),), "1 while every node serves clients.", True),
    Panel("Connections", "none", ((_sum("blindrelay_connections"), "connections"),), single=True),
    Panel("Accepted per second", "ops", ((_rate("blindrelay_messages_accepted_total"), "messages"),), single=True),
    Panel("Waiting", "none", ((_sum("blindrelay_messages_waiting"), "messages"),), "In all mailboxes.", single=True),
    Panel("Commit, 99 of 100", "s", ((_commit("0.99"), "seconds"),), single=True),
    Panel("Disk free", "bytes", ((f"min(blindrelay_disk_free_bytes{_JOB})", "free"),), single=True),
    Panel(
        "Messages", "ops",
        (
            (_rate("blindrelay_messages_accepted_total"), "accepted"),
            (_rate("blindrelay_messages_delivered_total"), "delivered"),
        ),
        "Accepted: durable, and acknowledged to the sender. Delivered: acknowledged by the recipient's device.",
    ),
    Panel(
        "Refused", "ops", ((f"{_rate('blindrelay_messages_refused_total', 'code')} > 0", "{{code}}"),),
        "By the reason code of PUBACK. quota_exceeded: a mailbox or the disk is full, or somebody sends too fast.",
    ),
    Panel("Connections by kind", "none", ((_sum("blindrelay_connections", "kind"), "{{kind}}"),)),
    Panel(
        "Connections that come and go", "ops",
        (
            (_rate("blindrelay_connections_admitted_total"), "admitted"),
            (f"{_rate('blindrelay_connections_refused_total', 'code')} > 0", "refused: {{code}}"),
            (f"{_rate('blindrelay_connections_ended_total', 'code')} > 0", "ended: {{code}}"),
        ),
    ),
    Panel(
        "Commits", "s", ((_commit("0.5"), "half"), (_commit("0.99"), "99 of 100")),
        "How long the disk takes. A message is acknowledged after the commit that it is in.",
    ),
    Panel(
        "Messages per commit", "none",
        ((f"{_rate('blindrelay_messages_accepted_total')} / {_rate('blindrelay_batches_total')}", "messages"),),
        "Grows with the load: what arrives during one commit shares the next.",
    ),
    Panel(
        "What waits for the disk, and for slow clients", "bytes",
        ((_sum("blindrelay_queue_bytes"), "for its commit"), (_sum("blindrelay_held_bytes"), "for who does not keep up")),
    ),
    Panel(
        "Mailboxes", "bytes", ((_sum("blindrelay_messages_waiting_bytes"), "waiting"),),
        "What devices that are off have still to fetch.",
    ),
    Panel("Store", "bytes", ((_sum("blindrelay_store_bytes", "file"), "{{file}}"),)),
    Panel("Batches that failed", "ops", (
        ('sum by (outcome) (rate(blindrelay_batches_total{instance=~"$instance",outcome!="committed"}[$__rate_interval]))',
         "{{outcome}}"),
    ), "full: there is no room. failed: the relay leaves."),
    Panel("Requests", "ops", ((_rate("blindrelay_requests_total", "method"), "{{method}}"),), "Directory and prekeys."),
    Panel(
        "Public logs", "none",
        ((f"max by (log) (blindrelay_log_entries{_JOB})", "{{log}}"),
         (f"max by (log) (blindrelay_log_failing{_JOB})", "{{log}} fails")),
        "Entries below the published checkpoint.",
    ),
    Panel(
        "Since the last cosignature", "s",
        ((f"time() - min by (log) (blindrelay_log_cosigned_timestamp_seconds{_JOB} > 0)", "{{log}}"),),
        "Of the witness that is furthest behind. Clients accept no checkpoint that is old.",
    ),
    Panel(
        "Retention", "s", ((f"time() - min(blindrelay_retention_timestamp_seconds{_JOB})", "since the purge job ended"),),
        "It runs every hour.",
    ),
    Panel(
        "Process", "bytes", ((f"process_resident_memory_bytes{_JOB}", "{{instance}}"),), "Resident memory.",
    ),
    Panel("Processor", "percentunit", ((f"rate(process_cpu_seconds_total{_JOB}[$__rate_interval])", "{{instance}}"),)),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana imports it."""
    numbers = [panel for panel in PANELS if panel.single]
    curves = [panel for panel in PANELS if not panel.single]
    panels = [
        _panel(n + 1, panel, (n * _STAT_WIDTH % _COLUMNS, 0, _STAT_WIDTH, _STAT_HEIGHT))
        for n, panel in enumerate(numbers)
    ]
    per_row = _COLUMNS // _WIDTH
    for n, panel in enumerate(curves):
        place = (n % per_row * _WIDTH, _STAT_HEIGHT + n // per_row * _HEIGHT, _WIDTH, _HEIGHT)
        panels.append(_panel(len(panels) + 1, panel, place))
    return {
        "title": "Blindrelay",
        "uid": "blindrelay",
        "description": "A relay, or the nodes of one: counts over everybody, and nothing about anybody.",
        "tags": ["blindrelay"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _instances()]},
        "panels": panels,
    }


def _panel(number: int, panel: Panel, place: tuple[int, int, int, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "stat" if panel.single else "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": _DATASOURCE,
        "gridPos": dict(zip("xywh", place, strict=True)),
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "expr": query, "legendFormat": name, "datasource": _DATASOURCE}
            for n, (query, name) in enumerate(panel.queries)
        ],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _instances() -> dict[str, Any]:
    query = "label_values(blindrelay_build_info, instance)"
    return {
        "name": "instance",
        "label": "Node",
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": query, "refId": "instances"},
        "definition": query,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(dashboard(), indent=2) + "\n", encoding="utf-8")
