"""An enterprise has left: what the relay held of it is gone, from tables and down to the bytes, but for what an order keeps of
its targets. A part of the check `retention`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.rows import read
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.sweep import Needles

#: What has to be looked at for this to have been carried out.
NEEDS: Final = (
    "enterprises that have left",
    "pieces of theirs that were looked for",
    "records of theirs that an order keeps",
)

_BEFORE: Final = "parting"
#: After it: at once, and when the relay has been started again since.
_AFTER: Final = ("left", "stopped")
_HOUR: Final = 3_600
_PIECE: Final = 1 << 20
_OVERLAP: Final = 128
#: Long enough to be in nothing else, and short enough to be in one piece on one page.
_LENGTH: Final = 32
_EACH: Final = 1_020
#: A row is of an account of the enterprise's if one of these is its number; of sealed senders the ring has it with a minus.
_ACCOUNTS: Final = {
    "prekey": ("account_id",),
    "revocation": ("account_id",),
    "session": ("account_id",),
    "presence": ("account_id",),
    "notice_seen": ("account_id",),
    "envelope": ("mailbox_id",),
    "recent_id": ("abs(owner)", "recipient"),
}
#: Single values of a size that is found again, of the accounts' rows.
_PIECES: Final = (
    "SELECT p.signature FROM prekey AS p JOIN device AS d USING (account_id) WHERE d.tenant = ?",
    "SELECT p.body FROM prekey AS p JOIN device AS d USING (account_id) WHERE d.tenant = ?",
    "SELECT e.payload FROM envelope AS e JOIN device AS d ON d.account_id = e.mailbox_id WHERE d.tenant = ?",
    "SELECT e.message_id FROM envelope AS e JOIN device AS d ON d.account_id = e.mailbox_id WHERE d.tenant = ?",
    "SELECT certificate FROM device WHERE tenant = ?",
    "SELECT statement FROM device WHERE tenant = ?",
    "SELECT statement_signature FROM device WHERE tenant = ?",
)


def examine(evidence: Evidence, report: Report) -> None:
    """Each enterprise that has left, at each moment after it."""
    at = {moment.name: moment.at for moment in evidence.manifest.moments}
    for tenant in evidence.manifest.left if _BEFORE in at else ():
        report.examined("enterprises that have left")
        before = _Held(evidence.disk(_BEFORE) / "relay.db", tenant, at[_BEFORE])
        for moment in (moment for moment in _AFTER if moment in at):
            database = evidence.disk(moment) / "relay.db"
            _rows(before, database, moment, report)
            _orders(before, database, moment, report)
            _bytes(before, evidence, moment, report)


class _Held:
    """What the relay held of an enterprise before it left, and what of it an order keeps."""

    def __init__(self, database: Path, tenant: str, now: float) -> None:
        self.tenant = tenant
        self.users = dict(read(database, "SELECT account_id, user FROM device WHERE tenant = ?", (tenant,)))
        self.pieces = {bytes(row[0]) for query in _PIECES for row in read(database, query, (tenant,)) if row[0]}
        traffic = read(database, "SELECT id, sender_id, recipient_id, accepted_at, message_id FROM traffic")
        access = read(database, "SELECT id, account_id, opened_hour FROM access")
        orders = read(
            database,
            "SELECT account_id, since, until, traffic_up_to, access_up_to FROM preserved_account "
            "JOIN preservation USING (key) WHERE ends_at > ?",
            (now,),
        )
        self.preserved = {row[0] for row in orders} & self.users.keys()
        theirs = [row for row in traffic if self.users.keys() & {row[1], row[2]}]
        self.traffic_kept = {
            bytes(row[4])
            for row in theirs
            for account, since, until, up_to, _ in orders
            if account in {row[1], row[2]} and row[0] <= up_to and since <= row[3] < until
        }
        self.traffic_gone = {bytes(row[4]) for row in theirs} - self.traffic_kept
        mine = [row for row in access if row[1] in self.users]
        self.access_kept = {
            row[0]
            for row in mine
            for account, since, until, _, up_to in orders
            if account == row[1] and row[0] <= up_to and since <= row[2] * _HOUR < until
        }
        self.access_gone = {row[0] for row in mine} - self.access_kept


def _rows(held: _Held, database: Path, moment: str, report: Report) -> None:
    """No row is about one of its devices, or about itself."""
    accounts = ", ".join(map(str, held.users))
    for table, columns in _ACCOUNTS.items():
        where = " OR ".join(f"{column} IN ({accounts})" for column in columns)
        for (count,) in read(database, f"SELECT count(*) FROM {table} WHERE {where}"):  # noqa: S608 - names and numbers of ours
            report.examined("tables in which an enterprise that has left was looked for")
            if count:
                report.find("left-behind", f"{count} rows of {held.tenant}'s accounts are in {table}, {moment}")
    for (number,) in read(database, "SELECT account_id FROM device WHERE tenant = ?", (held.tenant,)):
        if number not in held.preserved:
            report.find("left-behind", f"{held.users.get(number)} of {held.tenant} is in device, {moment}")
    for (keys,) in read(database, "SELECT length(certificate) FROM device WHERE tenant = ?", (held.tenant,)):
        if keys:
            report.find("left-behind", f"a certificate of {held.tenant}'s is in device, {moment}")
    for (count,) in read(database, "SELECT count(*) FROM notice WHERE tenant = ?", (held.tenant,)):
        if count:
            report.find("left-behind", f"{count} notices to {held.tenant}'s people are still there, {moment}")
    if not held.preserved and read(database, "SELECT 1 FROM tenant WHERE name = ?", (held.tenant,)):
        report.find("left-behind", f"{held.tenant} is in tenant, {moment}")
    if not read(database, "SELECT 1 FROM departed WHERE name = ?", (held.tenant,)):
        report.find(
            "left-behind", f"nothing says that {held.tenant} has left: somebody else could have its name, {moment}"
        )


def _orders(held: _Held, database: Path, moment: str, report: Report) -> None:
    """Of its records those are left that an order keeps, all of them and no others."""
    traffic = {bytes(row[0]) for row in read(database, "SELECT message_id FROM traffic")}
    access = {row[0] for row in read(database, "SELECT id FROM access")}
    report.examined("records of theirs that an order keeps", len(held.traffic_kept) + len(held.access_kept))
    report.examined("records of theirs that were to go", len(held.traffic_gone) + len(held.access_gone))
    for what, missing in (("traffic", held.traffic_kept - traffic), ("access", held.access_kept - access)):
        if missing:
            report.find(
                "not-kept",
                f"{len(missing)} {what} records of {held.tenant} are gone, and an order keeps them, {moment}",
            )
    for what, more in (("traffic", held.traffic_gone & traffic), ("access", held.access_gone & access)):
        if more:
            report.find(
                "left-behind", f"{len(more)} {what} records of {held.tenant}, which has left, are there, {moment}"
            )


def _bytes(held: _Held, evidence: Evidence, moment: str, report: Report) -> None:
    """No piece of it is in any file, page, WAL or backup."""
    waiting = {bytes(row[0]) for row in read(evidence.disk(moment) / "relay.db", "SELECT message_id FROM envelope")}
    pieces = {piece for value in held.pieces for piece in _samples(value)} | (held.traffic_gone - waiting)
    report.examined("pieces of theirs that were looked for", len(pieces))
    needles = Needles(pieces)
    places = [("left-behind", path) for path in sorted(evidence.disk(moment).rglob("*")) if path.is_file()]
    places.append(("kept-in-backup", evidence.folder / "backups" / f"{moment}.db"))
    for reason, path in places:
        found = set(_within(path, needles)) if path.exists() else set()
        if found:
            report.find(reason, f"{len(found)} pieces of {held.tenant}, which has left, are in {path.name}, {moment}")


def _samples(value: bytes) -> Iterator[bytes]:
    """Pieces of a value that lie on one page each, whatever the page is: its end, for it begins as others of its kind do."""
    yield value[-_LENGTH:]
    yield from (value[start : start + _LENGTH] for start in range(_EACH, len(value) - _LENGTH, _EACH))


def _within(path: Path, needles: Needles) -> Iterable[Any]:
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield from needles.within(tail + piece)
            tail = piece[-_OVERLAP:]
