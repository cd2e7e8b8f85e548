"""What collectors of metrics and traces get, held to the inventory: names, words, labels, and every value that one has."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from blindrelay.proofs.checks.model import Report
from blindrelay.relay.inventory.metrics import ANY_VERSION, METRICS, Kind, Metric
from blindrelay.relay.inventory.spans import RESOURCE, SPANS

_SPANS: Final = {span.name: span.attributes for span in SPANS}
#: What every span has; those with a value have one that says nothing.
_PARTS: Final = {
    "name", "context", "kind", "parent_id", "start_time", "end_time", "status", "attributes", "events", "links", "resource"
}  # fmt: skip
_EMPTY: Final[dict[str, Any]] = {
    "kind": "SpanKind.INTERNAL", "parent_id": None, "status": {"status_code": "UNSET"}, "events": [], "links": []
}  # fmt: skip
_KNOWN: Final = {metric.name: metric for metric in METRICS}
#: A comment would be room for anything.
_LINE: Final = re.compile(r"(# (HELP|TYPE) )?[a-z_]+[ {].*")
_VERSION: Final = re.compile(r"[0-9]+(\.[0-9]+)*([ab]|rc)?[0-9]*(\.(dev|post)[0-9]+)?(\+[a-z0-9.]+)?")
_HISTOGRAM: Final = re.compile(r"_(bucket|sum|count)$")


def metrics(data: bytes, where: str, report: Report) -> None:
    """Every line of what was scraped."""
    text = data.decode("utf-8", "replace")
    for line in text.splitlines():
        if not _LINE.fullmatch(line):
            report.find("metric", f"{where}: {line[:120]!r} is no metric")
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError as error:
        report.find("metric", f"{where} is not what a collector reads: {error}")
        return
    for family in families:
        _family(family, where, report)


def _family(family: Family, where: str, report: Report) -> None:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    metric = _KNOWN.get(name)
    if metric is None:
        report.find("metric", f"{where} has the metric {name}, which the inventory does not know")
        return
    if (family.type, family.documentation) != (metric.kind.value, metric.purpose):
        report.find("metric", f"{where}: {name} is not described as the inventory describes it")
    for sample in family.samples:
        report.examined("metrics")
        for problem in _problems(sample, metric):
            report.find("metric", f"{where}: {name} {problem}")


def _problems(sample: Sample, metric: Metric) -> list[str]:
    labels = dict(sample.labels)
    name = sample.name
    if metric.kind is Kind.HISTOGRAM:
        name = _HISTOGRAM.sub("", name)
        labels.pop("le", None)
    found = [] if name == metric.name else [f"has the sample {sample.name}"]
    if sample.timestamp is not None or sample.exemplar is not None:
        found.append("has more than a number")
    for label, value in labels.items():
        known = metric.labels.get(label)
        if known is None:
            found.append(f"has the label {label}, which the inventory does not know")
        elif known is ANY_VERSION:
            found += [] if _VERSION.fullmatch(value) else [f"has no version: {value[:40]!r}"]
        elif value not in known:
            found.append(f"has a {label} that the inventory does not know: {value[:40]!r}")
    return found


def spans(data: bytes, where: str, report: Report) -> None:
    """Every span that was sent, as JSON, one a line."""
    for number, line in enumerate(data.splitlines(), 1):
        report.examined("spans")
        try:
            span = json.loads(line)
            found = list(_odd(span))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            found = [f"is no span ({type(error).__name__})"]
        for problem in found:
            report.find("span", f"{where}, line {number}: {problem}")


def _odd(span: dict[str, Any]) -> Iterator[str]:
    known = _SPANS.get(span["name"])
    if known is None:
        yield f"a span {span['name'][:80]!r}, which the inventory does not know"
        return
    for key, value in span["attributes"].items():
        if key not in known:
            yield f"the attribute {key!r:.80} of {span['name']}, which the inventory does not know"
        elif not _fits(value, known[key]):
            yield f"{key} of {span['name']} is {value!r:.80}, which the inventory does not know"
    says_more = any(span[key] != value for key, value in _EMPTY.items())
    if says_more or set(span) != _PARTS or span["context"]["trace_state"] != "[]":
        yield f"{span['name']} says more than its attributes"
    attributes = span["resource"]["attributes"]
    if set(attributes) != set(RESOURCE) or not _VERSION.fullmatch(attributes["service.version"]):
        yield f"the resource has {sorted(attributes)}, expected {sorted(RESOURCE)}"


def _fits(value: object, values: frozenset[str] | None) -> bool:
    return type(value) is int if values is None else value in values
