"""Inventory diff of somebody's relay: whatever is in its data directory, its logs and its backups is in the inventory."""

import gzip
import zlib
from typing import Final

from blindrelay.proofs.checks import inventory
from blindrelay.proofs.checks.deployed.model import Deployment, Examination, Part
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.rows import read
from blindrelay.relay.inventory import Place

_GZIP: Final = b"\x1f\x8b"
#: A complaint of `blindrelay up` itself, before the relay's log begins and after it has ended: a sentence for people.
_COMPLAINT: Final = b"blindrelay: "


def examine(deployment: Deployment, report: Report) -> None:
    """Files, columns, log keys."""
    inventory.directory(deployment.data, report)
    for what in deployment.passed_over:
        report.find("file", f"{what}: a data directory has no such thing, and it was not examined")
    for part in deployment.databases:
        inventory.columns(part.path, place_of(part), report, part.where)
    for part in deployment.logs:
        try:
            lines = _unpacked(part).splitlines()
        except (OSError, EOFError, zlib.error) as error:
            report.find("log-key", f"{part.where} is no log of the relay's: {error}")
            continue
        complaints = [number for number, line in enumerate(lines) if line.startswith(_COMPLAINT)]
        report.examined("complaints of the command line", len(complaints))
        for number in complaints:
            lines[number] = b""
        inventory.log(b"\n".join(lines), part.where, report)
    if not deployment.logs:
        report.skip("logs: name them with --log")
    if not deployment.databases:
        report.skip("backups: name databases with --backup")


def place_of(part: Part) -> Place:
    """Which of the relay's databases it is a backup of: by its tables, whatever its name."""
    is_desks = read(part.path, "SELECT 1 FROM sqlite_master WHERE name = 'case_event'")
    return Place.DESK if is_desks else Place.DATABASE


def _unpacked(part: Part) -> bytes:
    data = part.path.read_bytes()
    return gzip.decompress(data) if data.startswith(_GZIP) else data


EXAMINATION: Final = Examination(
    title="every file, column and log key that there is, is in the metadata inventory",
    needs=("files", "columns"),
    examine=examine,
)
