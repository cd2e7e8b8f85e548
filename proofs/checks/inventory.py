"""Inventory diff: whatever exists outside the ciphertext is in the metadata inventory; what is not declared is a finding."""

import json
import re
from pathlib import Path
from typing import Any, Final

import blindrelay.relay
from blindrelay.proofs.checks import answers
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.checks.rows import read
from blindrelay.proofs.checks.scraped import metrics, spans
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.http import exchanges
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.relay.inventory import Place, declared

_DATABASES: Final = {"relay.db": Place.DATABASE, "desk.sqlite": Place.DESK}
#: Every file that a data directory may hold, by its path in it.
_FILES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"lock", r"version", r"relay\.(key|crt)", r"registration-code", r"last-backup", r"endpoint\.json", r"blindrelay\.toml",
        r"relay\.db(-wal|-shm|-journal|-reserve)?", r"desk\.(key|crt)", r"desk\.sqlite(-wal|-shm|-journal)?",
        r"packages/[0-9a-f-]{36}/\.?[a-z0-9-]+\.package(\.partial)?",
        r"log-keys/[a-z-]+\.key", r"logs/[a-z-]+\.policy", r"logs/[a-z-]+/checkpoint",
        r"logs/[a-z-]+/tile/(entries|[0-9]+)/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?",
        # That of the witness which `blindrelay up` starts beside a relay outside of its home.
        r"witness/(lock|witness\.key|logs/lock|logs/[0-9a-f]{64}/(keys|checkpoint|split-view/[^/]+\.checkpoint))",
    )
)  # fmt: skip
#: What a file is called while it is written, before it takes the place of the old one.
_NEW: Final = re.compile(r"(^|/)\.([^/]+)\.new$")
#: SQLite's own.
_OWN_TABLES: Final = re.compile(r"sqlite_.*")
#: A line of the text format in which metrics are scraped.
_METRIC: Final = re.compile(rb"^(# (TYPE|HELP) |[a-z_:]+\{[a-z_]+=\")", re.MULTILINE)
#: What Python's fault handler writes when a process is aborted: places in code, and nothing else; and what the operator is told
#: when a relay leaves by itself.
_FAULT: Final = re.compile(
    "|".join(
        (
            r"Fatal Python error: \w+",
            r"(Current t|T)hread .*",
            r'  File ".*", line \d+ in .*',
            r"  <no Python frame>",
            r"Extension modules: .*",
            r"the store failed and the relay leaves: .*",
            r"",
        )
    )
)
#: What sends traces, or keeps them. What OpenTelemetry's SDK is given is looked at instead, in the file that it writes.
_TRACERS: Final = ("opentelemetry.exporter", "sentry_sdk", "ddtrace")


def examine(evidence: Evidence, report: Report) -> None:
    """Compare everything that there was at any moment."""
    for moment in evidence.moments:
        directory(evidence.disk(moment), report)
    for path in evidence.strays():
        report.find("file", f"the relay has left {path.relative_to(evidence.folder)} outside of its data directory")
    log(evidence.log, "the log", report)
    for path in evidence.scraped():
        metrics(path.read_bytes(), f"/metrics, {path.stem}", report)
    if evidence.traces is None:
        report.skip("traces: there is no OpenTelemetry here: `pip install 'blindrelay[proofs]'`")
    else:
        spans(evidence.traces.read_bytes(), "a span", report)
    for exchanged in exchanges(evidence):
        answers.hold(exchanged, report)
        if _METRIC.search(exchanged.body):
            report.find("metric", f"{exchanged.where} is answered with metrics")
    for module in evidence.manifest.modules:
        report.examined("modules of the relay looked at for tracing")
        if module.startswith(_TRACERS):
            report.find("span", f"the relay has loaded {module}, which keeps data of its own")


def directory(folder: Path, report: Report) -> None:
    """Its files, and the tables of its databases."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        report.examined("files")
        if not any(pattern.fullmatch(_NEW.sub(r"\1\2", name)) for pattern in _FILES):
            report.find("file", f"{name} is no file that a data directory has")
        if path.suffix in {".prom", ".metrics"} or _is_metrics(path):
            report.find("metric", f"{name} holds metrics, which are shown to whoever asks and not kept")
    for name, place in _DATABASES.items():
        if (folder / name).exists():
            columns(folder / name, place, report)


def _is_metrics(path: Path) -> bool:
    return path.stat().st_size < 1 << 16 and bool(_METRIC.search(path.read_bytes()))


def columns(path: Path, place: Place, report: Report, where: str = "") -> None:
    """Every column of every table is declared. `where`: what the database is called, if not by its name."""
    known = declared(place)
    for (table,) in read(path, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        if _OWN_TABLES.fullmatch(str(table)):
            continue
        for row in read(path, f'PRAGMA table_info("{table}")'):
            report.examined("columns")
            if f"{table}.{row[1]}" not in known:
                report.find(
                    "column", f"{where or path.name} has the column {table}.{row[1]}, which the inventory does not know"
                )


def log(data: bytes, where: str, report: Report) -> None:
    """Every line is an object with declared keys, and says one of the sentences that there are."""
    known, sentences = declared(Place.LOG), _sentences()
    for number, text in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        report.examined("lines of the log")
        try:
            line: Any = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            if not _FAULT.fullmatch(text):
                report.find("log-key", f"{where}, line {number}, is no line of the relay's: {text[:120]!r}")
            continue
        for key in set(line) - known:
            report.find("log-key", f"{where}, line {number}: {key!r} is not a key that the inventory knows")
        if line.get("event") not in sentences:
            report.find("log-key", f"{where}, line {number}: {line.get('event')!r:.120} is no sentence of the relay's")


def _sentences() -> frozenset[str]:
    """Every text in the relay's source: what a log line says is one of them, as it stands there."""
    root = Path(blindrelay.relay.__file__).parent
    found: set[str] = set()
    for path in root.rglob("*.py"):
        found |= set(re.findall(r'"((?:[^"\\\n]|\\.)*)"', path.read_text(encoding="utf-8")))
    return frozenset(found)


CHECK: Final = Check(
    name="inventory",
    lock=Lock.FORM,
    title="every column, file, log key, metric and HTTP field that there is, is in the metadata inventory",
    reasons={
        "column": "a table or column that the inventory does not know",
        "file": "a file that a data directory does not have, or one outside of it",
        "log-key": "a log line with a key, or a sentence, that there is not",
        "metric": "a metric, a label or a value of one that the inventory does not know; metrics in a file",
        "span": "a span, or an attribute or value of one, that the inventory does not know; another tracer",
        "http-field": "an HTTP answer with a header or a field that it does not have",
    },
    needs=("columns", "files", "lines of the log", "metrics", "HTTP answers compared field by field"),
    enough=(Stage.WAIT,),
    examine=examine,
)
