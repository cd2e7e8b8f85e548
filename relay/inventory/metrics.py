"""The metrics: what each counts, and every value that a label may have. Nothing else is shown at `/metrics`.

Names follow the conventions of Prometheus (https://prometheus.io/docs/practices/naming/): base units, `_total` for what only
grows. A label has no value but the ones that are written down here, so that no name of anybody can become one.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import mqtt5

from blindrelay.policies import leaves
from blindrelay.protocol.rpc import METHODS, ErrorCode
from blindrelay.protocol.transparency import directory

Labels = dict[str, frozenset[str]]


class Kind(StrEnum):
    """Prometheus' kinds."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is the one that is scraped; a histogram adds `_bucket`, `_sum` and `_count`."""

    name: str
    kind: Kind
    purpose: str
    labels: Labels = field(default_factory=dict)


def code_names(codes: type) -> dict[int, str]:
    """The names of MQTT's reason codes, in lower case, by number."""
    return {int(getattr(codes, name)): name.lower() for name in dir(codes) if name.isupper()}


def _named(codes: type) -> frozenset[str]:
    return frozenset(code_names(codes).values())


_LOGS: Final[Labels] = {"log": frozenset({directory.NAME, leaves.NAME})}
_KINDS: Final[Labels] = {"kind": frozenset({"device", "sealed", "administrator", "registrar", "other"})}
#: A version is the release's own, whichever that is.
ANY_VERSION: Final = frozenset({"*"})

METRICS: Final[tuple[Metric, ...]] = (
    Metric("blindrelay_build_info", Kind.GAUGE, "which release runs", {"version": ANY_VERSION}),
    Metric("blindrelay_ready", Kind.GAUGE, "1 while clients are served, 0 while it stops or its store has failed"),
    Metric("blindrelay_connections", Kind.GAUGE, "connections that have been admitted and stand", _KINDS),
    Metric("blindrelay_connections_admitted_total", Kind.COUNTER, "connections that were admitted", _KINDS),
    Metric(
        "blindrelay_connections_refused_total", Kind.COUNTER, "connections that were refused, by the code of CONNACK",
        {"code": _named(mqtt5.ConnAckReasonCode)},
    ),
    Metric(
        "blindrelay_connections_ended_total", Kind.COUNTER, "connections that the relay ended, by the code of DISCONNECT",
        {"code": _named(mqtt5.DisconnectReasonCode)},
    ),
    Metric("blindrelay_messages_accepted_total", Kind.COUNTER, "messages that were made durable and acknowledged"),
    Metric("blindrelay_messages_delivered_total", Kind.COUNTER, "deliveries that a recipient's device acknowledged"),
    Metric(
        "blindrelay_messages_refused_total", Kind.COUNTER, "messages and requests that were refused, by the code of PUBACK",
        {"code": _named(mqtt5.PubAckReasonCode)},
    ),
    Metric(
        "blindrelay_messages_waiting", Kind.GAUGE,
        "messages that wait in all mailboxes together; not shown by one of several nodes",
    ),
    Metric("blindrelay_messages_waiting_bytes", Kind.GAUGE, "their padded size"),
    Metric("blindrelay_queue_bytes", Kind.GAUGE, "what has been received and waits for its commit"),
    Metric("blindrelay_held_bytes", Kind.GAUGE, "what is in memory for devices that do not keep up"),
    Metric("blindrelay_commit_seconds", Kind.HISTOGRAM, "how long a commit took, from its start to its settlement"),
    Metric(
        "blindrelay_batches_total", Kind.COUNTER, "commits with messages in them, by what became of them",
        {"outcome": frozenset({"committed", "full", "away", "unknown", "failed"})},
    ),
    Metric(
        "blindrelay_store_bytes", Kind.GAUGE, "size of the store's files",
        {"file": frozenset({"database", "wal"})},
    ),
    Metric("blindrelay_disk_free_bytes", Kind.GAUGE, "room on the disk of the data directory"),
    Metric(
        "blindrelay_requests_total", Kind.COUNTER, "requests that clients made, by what came of them",
        {
            "method": frozenset({*METHODS, "unknown"}),
            "outcome": frozenset({"answered", *(code.value for code in ErrorCode)}),
        },
    ),
    Metric("blindrelay_tenants", Kind.GAUGE, "tenants that are registered"),
    Metric("blindrelay_devices", Kind.GAUGE, "devices that are enrolled"),
    Metric("blindrelay_log_entries", Kind.GAUGE, "entries below the published checkpoint of a public log", _LOGS),
    Metric("blindrelay_log_failing", Kind.GAUGE, "1 while a public log cannot be published", _LOGS),
    Metric(
        "blindrelay_log_cosigned_timestamp_seconds", Kind.GAUGE, "when the witness that is furthest behind has cosigned",
        _LOGS,
    ),
    Metric("blindrelay_retention_timestamp_seconds", Kind.GAUGE, "when the purge job came to its end the last time"),
    Metric(
        "blindrelay_retention_deleted_total", Kind.COUNTER, "records that retention deleted",
        {"record": frozenset({"traffic", "access", "recent_ids"})},
    ),
    # The library's own, in its own words.
    Metric("process_start_time_seconds", Kind.GAUGE, "Start time of the process since unix epoch in seconds."),
    Metric("process_cpu_seconds_total", Kind.COUNTER, "Total user and system CPU time spent in seconds."),
    Metric("process_resident_memory_bytes", Kind.GAUGE, "Resident memory size in bytes."),
    Metric("process_virtual_memory_bytes", Kind.GAUGE, "Virtual memory size in bytes."),
    Metric("process_open_fds", Kind.GAUGE, "Number of open file descriptors."),
    Metric("process_max_fds", Kind.GAUGE, "Maximum number of open file descriptors."),
)  # fmt: skip
