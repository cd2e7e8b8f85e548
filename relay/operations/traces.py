"""Traces for a collector that speaks OpenTelemetry, or into a file. Off unless the operator names one.

A span is made when it is over, out of what was measured anyway. What it may say is declared in
`blindrelay.relay.inventory.spans`; whatever else it had would be an error here, and is taken off before it leaves.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from blindrelay import __version__
from blindrelay.protocol.clock import Clock
from blindrelay.relay.config import Operations
from blindrelay.relay.errors import BadConfiguration
from blindrelay.relay.inventory.spans import RESOURCE, SPANS

_NANOSECONDS: Final = 1_000_000_000
# For what is still to be sent when the relay stops.
_STOP_SECONDS: Final = 1.0
_DECLARED: Final = {span.name: frozenset(span.attributes) for span in SPANS}

_log = structlog.get_logger()


class Traces:
    """Makes spans. Use `open_traces`."""

    def __init__(self, provider: TracerProvider, clock: Clock) -> None:
        self._tracer = provider.get_tracer("blindrelay")
        self._clock = clock

    def commit(self, seconds: float, messages: int, outcome: str) -> None:
        """A commit is over."""
        self._over("commit", seconds, {"messages": messages, "outcome": outcome})

    def request(self, seconds: float, method: str, outcome: str) -> None:
        """A request has its answer."""
        self._over("request", seconds, {"method": method, "outcome": outcome})

    def purge(self, seconds: float, deleted: int) -> None:
        """The purge job has come to its end."""
        self._over("purge", seconds, {"deleted": deleted})

    def _over(self, name: str, seconds: float, attributes: dict[str, Any]) -> None:
        now = self._clock.now()
        span = self._tracer.start_span(name, start_time=int((now - seconds) * _NANOSECONDS), attributes=attributes)
        span.end(int(now * _NANOSECONDS))


class _Declared(SpanExporter):
    """Lets out what is declared, and says when it could not be delivered."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand on what may leave."""
        result = self._exporter.export([_stripped(span) for span in spans if span.name in _DECLARED])
        if result is not SpanExportResult.SUCCESS:
            _log.warning("traces could not be delivered")
        return result

    def shutdown(self) -> None:
        """The end."""
        self._exporter.shutdown()


def _stripped(span: ReadableSpan) -> ReadableSpan:
    known = _DECLARED[span.name]
    return ReadableSpan(
        name=span.name,
        context=span.context,
        resource=span.resource,
        attributes={key: value for key, value in (span.attributes or {}).items() if key in known},
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        start_time=span.start_time,
        end_time=span.end_time,
    )


@asynccontextmanager
async def open_traces(settings: Operations, clock: Clock) -> AsyncIterator[Traces]:
    """Make spans, and send a share of them to `settings.traces`. Raises `BadConfiguration`: that is nothing to send them to."""
    # It would complain on standard error about every collector that is away, in a form of its own.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
    values = dict(zip(RESOURCE, ("blindrelay", __version__), strict=True))
    provider = TracerProvider(
        sampler=TraceIdRatioBased(settings.traces_share), resource=Resource(values), shutdown_on_exit=False
    )
    with contextlib.ExitStack() as files:
        provider.add_span_processor(BatchSpanProcessor(_Declared(_exporter(settings.traces or "", files))))
        try:
            yield Traces(provider, clock)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await asyncio.to_thread(provider.shutdown)


def _exporter(endpoint: str, files: contextlib.ExitStack) -> SpanExporter:
    parts = urlsplit(endpoint)
    if parts.scheme == "file":
        path = Path(url2pathname(parts.path))
        try:
            out = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "w")
        except OSError as error:
            raise BadConfiguration(f"operations.traces: {path} cannot be written: {error.strerror}") from error
        files.enter_context(out)
        return ConsoleSpanExporter(out=out, formatter=lambda span: f"{span.to_json(indent=None)}\n")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - it is optional
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise BadConfiguration("operations.traces needs packages that are not here: blindrelay[traces]") from error
    return OTLPSpanExporter(endpoint=endpoint)
