"""Small evidence, made by hand: what a check finds in it is known beforehand."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import mqtt5

from blindrelay.proofs.checks.catalogue import find
from blindrelay.proofs.checks.model import Report, Verdict, carried_out
from blindrelay.proofs.evidence.folder import Connection, Evidence
from blindrelay.proofs.evidence.manifest import FILE, Manifest, Moment
from blindrelay.proofs.evidence.scope import WHOLE, Scope
from blindrelay.proofs.evidence.tls import ClientHello, Opened


def evidence(folder: Path, scope: Scope = WHOLE, **what: Any) -> Evidence:
    """A run's folder with a manifest in it, and no connections."""
    manifest = Manifest(**{"quick": scope.quick, "began": 0.0, **what})
    (folder / FILE).write_text(manifest.model_dump_json(), encoding="utf-8")
    (folder / "relay.log").touch()
    return Evidence(folder, scope)


def moment(name: str = "delivered", **what: Any) -> Moment:
    """At which nothing was going on."""
    return Moment(name=name, at=1_000_000.0, tick=0.0, **what)


def audited(folder: Path, *events: tuple[str, str]) -> None:
    """What Python and uvloop have told of the relay's process."""
    (folder / "audit.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def connection(
    sent: Iterable[mqtt5.Packet | bytes] = (), answered: Iterable[mqtt5.Packet | bytes] = (), name: str = "00000"
) -> Connection:
    """One that was recorded and opened: what the client sent, and what came back."""
    tls = Opened(ClientHello(bytes(32), ()), _written(sent), _written(answered))
    return Connection(name, "mqtt", 0.0, 1.0, tls)


def _written(packets: Iterable[mqtt5.Packet | bytes]) -> tuple[bytes, ...]:
    return tuple(bytes(packet if isinstance(packet, bytes) else packet.write()) for packet in packets)


def report_for(check: str) -> Report:
    """What this check would write down."""
    return Report(find(check).reasons)


def reasons(report: Report) -> list[str]:
    """Why something was found, each reason once, in order."""
    return sorted({finding.reason for finding in report.verdict("-", 0.0).findings})


def verdict(check: str, of: Evidence) -> Verdict:
    """Of the whole check, with all that it needs."""
    found = find(check)
    return carried_out(found, found.needs, partial(found.examine, of))
