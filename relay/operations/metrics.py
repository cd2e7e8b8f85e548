"""`/metrics`: the relay's numbers in the text format of Prometheus, made when they are asked for.

What is shown is what `blindrelay.relay.inventory.metrics` declares: a metric that is not there has no words to be shown with.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import mqtt5
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from blindrelay import __version__
from blindrelay.relay.counts import Timing
from blindrelay.relay.inventory import metrics as declared
from blindrelay.relay.operations.view import View

_METRICS: Final = {metric.name: metric for metric in declared.METRICS}
_PUBACK: Final = declared.code_names(mqtt5.PubAckReasonCode)
_CONNACK: Final = declared.code_names(mqtt5.ConnAckReasonCode)
_DISCONNECT: Final = declared.code_names(mqtt5.DisconnectReasonCode)

#: Label values, in the order of the declaration, and the number.
Sample = tuple[tuple[str, ...], float]


class Numbers(Collector):
    """All of them but those of the process, which are the library's."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """What there is now."""
        for name, samples in self._samples():
            yield _family(name, samples)
        yield _histogram("blindrelay_commit_seconds", self._view.exchange.counts.commits)

    def _samples(self) -> Iterator[tuple[str, Iterable[Sample]]]:
        view = self._view
        yield from self._connections()
        yield from self._messages()
        tenants, devices = view.accounts.size
        yield "blindrelay_build_info", [((__version__,), 1)]
        yield "blindrelay_ready", [((), view.fault() is None)]
        yield "blindrelay_tenants", [((), tenants)]
        yield "blindrelay_devices", [((), devices)]
        yield "blindrelay_requests_total", view.requests.items()
        yield "blindrelay_store_bytes", [((name,), size) for name, size in view.sizes().items()]
        yield "blindrelay_disk_free_bytes", [((), view.free())]
        yield "blindrelay_log_entries", [((n,), log.published.checkpoint.size) for n, log in view.logs.items()]
        yield "blindrelay_log_failing", [((name,), log.is_failing) for name, log in view.logs.items()]
        cosigned = ((name, log.cosigned_at()) for name, log in view.logs.items())
        yield "blindrelay_log_cosigned_timestamp_seconds", [((n,), at) for n, at in cosigned if at is not None]
        yield "blindrelay_retention_timestamp_seconds", [((), at) for at in [view.retention.ran_at] if at is not None]
        deleted = view.retention.deleted
        yield (
            "blindrelay_retention_deleted_total",
            [(("traffic",), deleted.traffic), (("access",), deleted.access), (("recent_ids",), deleted.recent_ids)],
        )

    def _connections(self) -> Iterator[tuple[str, Iterable[Sample]]]:
        counts = self._view.exchange.counts
        yield "blindrelay_connections", _by_name(self._view.exchange.kinds())
        yield "blindrelay_connections_admitted_total", _by_name(counts.admitted)
        yield "blindrelay_connections_refused_total", _by_code(counts.turned_away, _CONNACK)
        yield "blindrelay_connections_ended_total", _by_code(counts.ended, _DISCONNECT)

    def _messages(self) -> Iterator[tuple[str, Iterable[Sample]]]:
        view = self._view
        counts = view.exchange.counts
        waiting = view.accounts.waiting()
        yield "blindrelay_messages_accepted_total", [((), counts.accepted)]
        yield "blindrelay_messages_delivered_total", [((), counts.delivered)]
        yield "blindrelay_messages_refused_total", _by_code(counts.refused, _PUBACK)
        yield "blindrelay_messages_waiting", [] if waiting is None else [((), waiting[0])]
        yield "blindrelay_messages_waiting_bytes", [] if waiting is None else [((), waiting[1])]
        yield "blindrelay_queue_bytes", [((), view.exchange.undecided())]
        yield "blindrelay_held_bytes", [((), view.exchange.held_bytes)]
        yield "blindrelay_batches_total", _by_name(counts.outcomes)


def exposition(view: View) -> Callable[[], bytes]:
    """A function that writes them down, as they are when it is called."""
    registry = CollectorRegistry()
    registry.register(Numbers(view))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


def _by_name(counts: Mapping[str, int]) -> list[Sample]:
    return [((name,), count) for name, count in counts.items()]


def _by_code(counts: Mapping[int, int], names: Mapping[int, str]) -> list[Sample]:
    return [((names[code],), count) for code, count in counts.items()]


def _family(name: str, samples: Iterable[Sample]) -> Metric:
    metric = _METRICS[name]
    kind = CounterMetricFamily if metric.kind is declared.Kind.COUNTER else GaugeMetricFamily
    family = kind(name, metric.purpose, labels=list(metric.labels))
    found = dict(samples)
    if metric.kind is declared.Kind.COUNTER and len(metric.labels) == 1:
        # From the start: a rate is seen from the first time on.
        (values,) = metric.labels.values()
        found = {(value,): 0.0 for value in sorted(values)} | found
    for labels, value in found.items():
        family.add_metric(list(labels), value)
    return family


def _histogram(name: str, timing: Timing) -> Metric:
    buckets: list[tuple[str, float]] = []
    seen = 0
    for bound, count in zip((*timing.bounds, math.inf), timing.counts, strict=True):
        seen += count
        buckets.append(("+Inf" if math.isinf(bound) else str(bound), seen))
    return HistogramMetricFamily(name, _METRICS[name].purpose, buckets=buckets, sum_value=timing.total)
