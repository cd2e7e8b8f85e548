"""Wire tap: what passes between every client and the relay is what the profile says, and envelopes are what they claim to be.

The tap has recorded every connection; the clients' key log opens them. What is inside is held to the grammar of the profile,
packet by packet, and every envelope is opened with every key of the run: the recipient's must fit, and no other.
"""

from collections.abc import Iterator
from typing import Final

from blindrelay.proofs.checks import envelopes, grammar, views
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.evidence.folder import Connection, Evidence
from blindrelay.proofs.evidence.scope import Stage


def examine(evidence: Evidence, report: Report) -> None:
    """Go through every connection and every envelope."""
    mqtt = [connection for connection in evidence.connections if connection.service == "mqtt"]
    report.examined("connections", len(evidence.connections))
    for why in evidence.unopened:
        report.find("unknown-connection", why)
    _tickets(evidence.connections, report)
    passed = [found for connection in mqtt for found in grammar.examine(connection, report)]
    views.examine(evidence, passed, report)
    envelopes.examine(evidence, passed, report)
    for probe in evidence.manifest.probes:
        if probe.about == "client":
            report.examined("things tried that must not work")
            if not probe.refused:
                report.find(probe.name, f"{probe.tried}: {probe.answer}")


def _tickets(connections: list[Connection], report: Report) -> None:
    given = {ticket: connection for connection in connections for ticket in connection.tls.tickets}
    for connection in connections:
        for ticket in connection.tls.hello.tickets:
            earlier = given.get(ticket)
            where = f", which connection {earlier.name} was given" if earlier else ""
            report.find("linkable", f"connection {connection.name} begins with a session ticket{where}")


def _reasons() -> Iterator[tuple[str, str]]:
    yield "unknown-connection", "somebody has connected whose secrets are in no client's key log, or not with TLS 1.3"
    yield "linkable", "a connection shows a session ticket, token or name that ties it to another one"
    yield from grammar.REASONS.items()
    yield from views.REASONS.items()
    yield from envelopes.REASONS.items()
    yield "replay", "a client takes the same envelope twice"
    yield "readdressed", "a client opens an envelope that was sent to another device, or under another id"
    yield "downgrade", "a client takes an envelope of an older version"
    yield "small-order", "a client takes a key of small order, with which everybody knows the secret"
    yield "expired", "a client takes what is past its time"
    yield "probed", "a client answers a stranger whom its person does not notice"
    yield "ghost-accepted", "a client writes to a device that its recipient's enterprise has not certified"


CHECK: Final = Check(
    name="wire",
    lock=Lock.KEYS,
    title="on every connection there is what the profile allows, and envelopes open for their recipient alone",
    reasons=dict(_reasons()),
    needs=(
        "connections",
        "envelopes opened with the recipient's key",
        "sealed connections",
        "things tried that must not work",
    ),
    enough=(Stage.TALK, Stage.TRY),
    examine=examine,
)
