"""Retention sweep: what was acknowledged, has expired or is past its window is gone, down to the bytes, and so is what was held
of an enterprise that has left (`departure`); what an order keeps is exactly that."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blindrelay.proofs.checks import departure
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.checks.rows import read
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.proofs.evidence.mqtt import acknowledgements, publishes
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.evidence.sweep import Needles
from blindrelay.relay.config import Retention

#: A piece of every database page of an envelope (`blindrelay.relay.store.layout`), long enough to be in nobody else's bytes.
#: Its first bytes may stay.
_FIRST, _EACH, _LENGTH = 100, 1_020, 32
_VARIED: Final = 8
_DAY: Final = 86_400
_HOUR: Final = 3_600
#: The moments at which the relay had had time to put things away.
_QUIET: Final = ("delivered", "expired", "aged", "left", "stopped")
#: Between these a letter expires that nobody has fetched.
_WAITING: Final = "delivered"
_EXPIRED: Final = "expired"
#: The purge job runs once an hour.
_LATE: Final = 2 * _HOUR
_PIECE: Final = 1 << 20
#: As metrics have it; zero: it has not run yet.
_LAST_PURGE: Final = re.compile(r"^blindrelay_retention_timestamp_seconds ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Envelope:
    recipient: str
    message_id: bytes
    samples: tuple[bytes, ...]


def examine(evidence: Evidence, report: Report) -> None:
    """Every quiet moment: envelopes, then records."""
    envelopes = _envelopes(evidence)
    at = {moment.name: moment.at for moment in evidence.manifest.moments}
    for moment in (moment for moment in _QUIET if moment in at):
        _acknowledged(evidence, moment, report)
        _gone(evidence, moment, envelopes, report)
        ages(evidence.disk(moment) / "relay.db", at[moment], Retention(), report, moment)
    if {_WAITING, _EXPIRED} <= at.keys():
        _expired(evidence, at[_EXPIRED], report)
    _purged(evidence, report)
    for path in evidence.scraped():
        _ran(path.read_text("utf-8"), at[path.stem], path.stem, report)
    departure.examine(evidence, report)
    if "aged" in at:
        now = datetime.fromtimestamp(at["aged"], UTC)
        _preserved(in_force(evidence.manifest.cases, now), evidence.disk("aged") / "relay.db", report)


def _envelopes(evidence: Evidence) -> list[_Envelope]:
    found: dict[bytes, _Envelope] = {}
    for connection in evidence.connections:
        for packet in publishes(connection):
            if packet.topic.startswith("v1/to/") and packet.correlation_data:
                payload = packet.payload
                starts = range(_FIRST, len(payload) - _LENGTH, _EACH)
                pieces = (payload[start : start + _LENGTH] for start in starts)
                samples = tuple(piece for piece in pieces if len(set(piece)) > _VARIED)  # not the zeros of a saboteur
                found.setdefault(payload, _Envelope(packet.topic[6:], packet.correlation_data, samples))
    return list(found.values())


def _gone(evidence: Evidence, moment: str, envelopes: list[_Envelope], report: Report) -> None:
    """No byte of an envelope is in any file or backup but of those that wait."""
    folder = evidence.disk(moment)
    waiting = {bytes(row[0]) for row in read(folder / "relay.db", "SELECT message_id FROM envelope")}
    gone = [envelope for envelope in envelopes if envelope.message_id not in waiting]
    report.examined("envelopes looked for where they must be gone", len(gone))
    by_sample = {sample: envelope for envelope in gone for sample in envelope.samples}
    samples = Needles(by_sample)
    places = [("data directory", path) for path in _files(folder)]
    places.append(("backup", evidence.folder / "backups" / f"{moment}.db"))
    for kind, path in places:
        if not path.exists():
            continue
        report.examined("bytes searched", path.stat().st_size)
        for sample in _samples(path, samples):
            envelope = by_sample[sample]
            reason = "kept-in-backup" if kind == "backup" or "backup" in path.name else "kept"
            report.find(
                reason,
                f"an envelope to {envelope.recipient} that is gone is still in {path.name} of the {kind}, {moment}",
            )


def _purged(evidence: Evidence, report: Report) -> None:
    """No byte of a traffic record that is past its window is in any file or backup, but of those that an order keeps."""
    seen: set[bytes] = set()
    for moment in evidence.moments:
        rows = {bytes(row[0]) for row in read(evidence.disk(moment) / "relay.db", "SELECT message_id FROM traffic")}
        waiting = read(evidence.disk(moment) / "relay.db", "SELECT message_id FROM envelope")
        gone = seen - rows - {bytes(row[0]) for row in waiting}  # what waits for others after its sender has left
        seen |= rows
        if not gone or moment not in _QUIET:
            continue
        report.examined("records looked for where they must be gone", len(gone))
        needles = Needles(gone)
        for path in (*_files(evidence.disk(moment)), evidence.folder / "backups" / f"{moment}.db"):
            for message_id in _samples(path, needles):
                report.find(
                    "kept", f"the record of message {message_id.hex()} is gone, and still in {path.name}, {moment}"
                )


def _ran(scraped: str, now: float, moment: str, report: Report) -> None:
    """The purge job has come to its end not long ago, as the relay shows to whoever collects its metrics."""
    found = _LAST_PURGE.search(scraped)
    report.examined("looks at when the purge job ran")
    if found is None or now - float(found[1]) > _LATE:
        ago = "never" if found is None else f"{(now - float(found[1])) / _HOUR:.0f} hours ago"
        report.find("not-run", f"the purge job came to its end {ago}, {moment}")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _acknowledged(evidence: Evidence, moment: str, report: Report) -> None:
    """Nothing waits that a device had acknowledged by then, on a connection that was over."""
    tick = next(each.tick for each in evidence.manifest.moments if each.name == moment)
    acknowledged = {
        message_id
        for connection in evidence.connections
        if connection.closed is not None and connection.closed < tick
        for message_id in acknowledgements(connection)
    }
    report.examined("envelopes that were acknowledged", len(acknowledged))
    for (message_id,) in read(evidence.disk(moment) / "relay.db", "SELECT message_id FROM envelope"):
        if bytes(message_id) in acknowledged:
            report.find("kept", f"the envelope {bytes(message_id).hex()} was acknowledged, and still waits, {moment}")


def _expired(evidence: Evidence, now: float, report: Report) -> None:
    """What nobody came for in time waits no more: it has not even to be asked for."""
    query = "SELECT message_id FROM envelope WHERE expires_at <= ?"
    waited = {bytes(row[0]) for row in read(evidence.disk(_WAITING) / "relay.db", query, (now,))}
    report.examined("envelopes that expired before anybody came", len(waited))
    for (message_id,) in read(evidence.disk(_EXPIRED) / "relay.db", "SELECT message_id FROM envelope"):
        if bytes(message_id) in waited:
            report.find("kept", f"the envelope {bytes(message_id).hex()} has expired, and still waits")


def _samples(path: Path, samples: Needles) -> Iterator[bytes]:
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if piece.count(0) < len(piece):
                yield from samples.within(tail + piece)
            tail = piece[-64:]


def ages(database: Path, now: float, retention: Retention, report: Report, moment: str) -> None:
    """Nothing is older than its window but what an order keeps, and nothing that has expired waits."""
    kept = {row[0] for row in read(database, "SELECT account_id FROM preserved_account")}
    traffic_before = now - retention.traffic_days * _DAY - _LATE
    for sender, recipient, accepted in read(
        database, "SELECT sender_id, recipient_id, accepted_at FROM traffic WHERE accepted_at < ?", (traffic_before,)
    ):
        report.examined("records past their window")
        if not kept & {sender, recipient}:
            report.find("too-old", f"a traffic record of {_days(now, accepted)} days is still there, {moment}")
    access_before = (now - retention.access_days * _DAY - _LATE) // _HOUR
    query = (
        "SELECT account_id, coalesce(closed_hour, opened_hour) FROM access WHERE coalesce(closed_hour, opened_hour) < ?"
    )
    for account, hour in read(database, query, (access_before,)):
        report.examined("records past their window")
        if account not in kept:
            report.find("too-old", f"a connection of {_days(now, hour * _HOUR)} days is still there, {moment}")
    for (accepted,) in read(database, "SELECT accepted_at FROM recent_id WHERE accepted_at < ?", (traffic_before,)):
        report.find("too-old", f"a recent id of {_days(now, accepted)} days is still there, {moment}")
    for (expires,) in read(database, "SELECT expires_at FROM envelope WHERE expires_at < ?", (now - _LATE,)):
        report.find("too-old", f"an envelope that expired {_days(now, expires)} days ago still waits, {moment}")
    report.examined("moments at which ages were compared")


def _days(now: float, then: float) -> int:
    return int((now - then) // _DAY)


def in_force(cases: Iterable[Case], now: datetime) -> set[str]:
    """The users of whom records are to be kept at a moment: orders that were granted have a term, and are nothing after it."""
    found: set[str] = set()
    for case in cases:
        for demand in case.answers[-1]["demands"] if case.answers else ():
            until = demand["preserved_until"] if demand["outcome"] == "preserved" else None
            if until is not None and datetime.fromisoformat(until) > now:
                found |= {target["value"] for each in demand["classes"] for target in each["targets"]}
    return found


def _preserved(ordered: set[str], database: Path, report: Report) -> None:
    """What is kept is kept for the targets of orders that are in force, and for nobody else."""
    owners = {row[0]: f"{row[2]}@{row[1]}" for row in read(database, "SELECT account_id, tenant, user FROM device")}
    kept = {owners.get(row[0], "nobody") for row in read(database, "SELECT account_id FROM preserved_account")}
    report.examined("users whose records an order keeps", len(kept))
    for user in sorted(kept - ordered):
        report.find("bystander", f"records of {user} are kept, and no order has named them")
    for user in sorted(ordered - kept):
        report.find("not-kept", f"an order to keep records of {user} is in force, and nothing keeps them")
    accounts = {number for number, owner in owners.items() if owner in ordered}
    for sender, recipient in read(database, "SELECT sender_id, recipient_id FROM traffic"):
        report.examined("kept records")
        if not accounts & {sender, recipient}:
            report.find(
                "bystander", f"a traffic record between {owners.get(sender)} and {owners.get(recipient)} is kept"
            )


CHECK: Final = Check(
    name="retention",
    lock=Lock.FORM,
    title="what was acknowledged, expired, is too old or has left is gone to the last byte; orders keep their targets alone",
    reasons={
        "kept": "bytes of an envelope that is gone are in a file: a page, the WAL, a copy",
        "kept-in-backup": "bytes of an envelope that is gone are in a backup that was made afterwards",
        "left-behind": "bytes or rows of an enterprise that has left are still there",
        "not-run": "the purge job has not run for longer than it may",
        "too-old": "a record, or an envelope, is older than its window, and no order keeps it",
        "bystander": "records of somebody are kept whom no order has named",
        "not-kept": "an order to keep records is in force, and nothing keeps them",
    },
    needs=(
        "envelopes that were acknowledged",
        "envelopes looked for where they must be gone",
        "records looked for where they must be gone",
        "looks at when the purge job ran",
        "bytes searched",
        "kept records",
        "envelopes that expired before anybody came",
        *departure.NEEDS,
    ),
    enough=(Stage.WAIT, Stage.ASK, Stage.AGE, Stage.DEPART),
    examine=examine,
)
