"""Traces (`relay/operations/traces.py`): off by default, and nothing in them that is not declared."""

import asyncio
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from blindrelay.proofs.checks import scraped
from blindrelay.proofs.checks.inventory import CHECK
from blindrelay.proofs.checks.model import Report
from blindrelay.relay.config import Operations
from blindrelay.relay.errors import BadConfiguration
from blindrelay.relay.operations import traces
from support import site
from support.party import HandClock
from support.site import connected
from support.tenants import Tenant


async def trace(folder: Path, endpoint: str, share: float = 1.0) -> None:
    """A relay that makes spans of a little of everything, and stops."""
    acme = Tenant("acme.example", folder)
    alice = acme.device("alice", "laptop")
    async with site.relay_in(folder / "relay", operations={"traces": endpoint, "traces_share": share}) as relay:
        await site.register(relay, acme)
        async with connected(relay, alice) as client:
            await client.publish(alice.device)
        await relay.keep_house()


def examined(data: bytes) -> Report:
    """What the check of the proof says of it."""
    report = Report(CHECK.reasons)
    scraped.spans(data, "here", report)
    return report


async def test_spans_say_what_is_declared_and_nothing_else(tmp_path: Path) -> None:
    """A span for each commit, request and purge, in a file for the owner alone; the check of the proof finds nothing."""
    file = tmp_path / "traces.jsonl"
    await trace(tmp_path, file.as_uri())
    spans: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()]
    verdict = examined(file.read_bytes()).verdict("inventory", 0.0)

    assert {span["name"] for span in spans} == {"commit", "request", "purge"}
    assert {"method": "tenant.register", "outcome": "answered"} in [span["attributes"] for span in spans]
    assert {"messages": 1, "outcome": "committed"} in [span["attributes"] for span in spans]
    assert verdict.findings == ()
    assert verdict.examined["spans"] == len(spans)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "alice" not in file.read_text()


@contextmanager
def collector(status: int = 200) -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP collector: its URL, and what it was sent."""
    received: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
        server.shutdown()


async def test_a_collector_gets_them(tmp_path: Path) -> None:
    """By OTLP over HTTP, under the relay's name, the last ones when it stops."""
    with collector() as (url, received):
        await trace(tmp_path, url)
    requests = [ExportTraceServiceRequest.FromString(body) for body in received]
    resources = [one.resource for request in requests for one in request.resource_spans]
    assert resources
    assert {pair.key for resource in resources for pair in resource.attributes} == {"service.name", "service.version"}


async def test_without_a_share_there_is_none(tmp_path: Path) -> None:
    """The operator chooses how many are sent."""
    file = tmp_path / "traces.jsonl"
    await trace(tmp_path, file.as_uri(), share=0.0)
    assert file.read_text() == ""


async def test_a_collector_that_is_away_keeps_nobody(tmp_path: Path) -> None:
    """The relay serves, and stops in time."""
    async with asyncio.timeout(30):
        await trace(tmp_path, "http://127.0.0.1:1/v1/traces")


async def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The relay does not start with less than it was asked for."""
    with pytest.raises(BadConfiguration, match=r"operations\.traces: .*nowhere.* cannot be written"):
        await trace(tmp_path, (tmp_path / "nowhere" / "traces").as_uri())


async def test_what_is_not_declared_does_not_leave(tmp_path: Path) -> None:
    """An attribute too many is taken off, and a span too many is not sent."""
    file = tmp_path / "traces.jsonl"
    async with traces.open_traces(Operations(traces=file.as_uri(), traces_share=1.0), HandClock(1.7e9)) as made:
        made._over("request", 0.1, {"method": "user.lookup", "outcome": "answered", "enduser.id": "alice"})
        made._over("message", 0.1, {"to": "alice"})
    (span,) = map(json.loads, file.read_text().splitlines())
    assert span["attributes"] == {"method": "user.lookup", "outcome": "answered"}


def altered(**changes: object) -> bytes:
    """A span as it should be, but for this."""
    span = {
        "name": "commit", "context": {"trace_id": "0x1", "span_id": "0x2", "trace_state": "[]"}, "kind": "SpanKind.INTERNAL",
        "parent_id": None, "start_time": "2026-01-01T00:00:00.000000Z", "end_time": "2026-01-01T00:00:00.000000Z",
        "status": {"status_code": "UNSET"}, "attributes": {"messages": 1, "outcome": "committed"}, "events": [], "links": [],
        "resource": {"attributes": {"service.name": "blindrelay", "service.version": "0.1.0"}, "schema_url": ""},
    }  # fmt: skip
    return json.dumps({**span, **changes}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "message"},
        {"attributes": {"messages": 1, "to": "alice"}},
        {"attributes": {"messages": "alice"}},
        {"attributes": {"outcome": "alice"}},
        {"events": [{"name": "exception"}]},
        {"status": {"status_code": "ERROR", "description": "alice"}},
        {"resource": {"attributes": {"service.name": "blindrelay", "service.version": "0.1.0", "host.name": "a"}}},
        {"resource": {"attributes": {"service.name": "blindrelay", "service.version": "see you at 8"}}},
        {"context": 1},
    ],
)
def test_the_check_finds_what_is_not_declared(changes: dict[str, object]) -> None:
    """A span, an attribute, a value, an event, a description, the machine's name."""
    assert not examined(altered()).verdict("inventory", 0.0).findings
    assert examined(altered(**changes)).verdict("inventory", 0.0).has("span")


def test_they_are_off_by_default() -> None:
    """No collector is asked for, and nothing of OpenTelemetry's is loaded by a relay without traces."""
    assert Operations().traces is None
    program = """
import sys
import blindrelay.relay.process, blindrelay.relay.operations.http
assert not any(name.startswith("opentelemetry") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
