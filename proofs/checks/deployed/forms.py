"""Closed forms in somebody's relay: what it keeps to tell, to publish and to hand over has no place for a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from blindrelay.policies import leaves
from blindrelay.proofs.checks.deployed.model import Deployment, Examination
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.rows import read
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.notices import NoticeBody
from blindrelay.protocol.sealing import CHUNK, MAGIC, SEALED_KEY_LENGTH, TAG
from blindrelay.protocol.sizes import BUCKETS
from blindrelay.protocol.statements import DeviceStatement, Prekey, Revocation, Wire
from blindrelay.protocol.transparency import directory
from blindrelay.relay.desk.steps import STEP

_HEAD: Final = len(MAGIC) + SEALED_KEY_LENGTH
_MESSAGE_ID: Final = 16


def _wire(model: type[Wire]) -> Callable[[bytes], object]:
    """Canonical, and nothing more in it than the model has."""

    def read_one(body: bytes) -> None:
        if model.model_validate_json(body).model_dump_json().encode() != body:
            raise Malformed("it has another form, or more in it")

    return read_one


#: What a column's values are, and how one is read. Raises `Malformed` or `ValidationError` for what is none.
_BODIES: Final[dict[tuple[str, str], tuple[str, Callable[[bytes], object]]]] = {
    ("relay.db", "notice.body"): ("notices", _wire(NoticeBody)),
    ("relay.db", "directory_entry.body"): ("entries of the log directory", directory.parse),
    ("relay.db", "device.statement"): ("device statements", _wire(DeviceStatement)),
    ("relay.db", "prekey.body"): ("prekeys", _wire(Prekey)),
    ("relay.db", "revocation.body"): ("revocations", _wire(Revocation)),
    ("desk.sqlite", "log_entry.body"): ("entries of the log lawful-access", leaves.parse),
}
#: What is no case is of the register, and has forms of its own.
_CASES: Final = "SELECT case_id, sequence, body FROM case_event WHERE case_id NOT IN ('register', 'door', 'lists')"


def examine(deployment: Deployment, report: Report) -> None:
    """Every column with a form, then rows of cases, envelopes, records and packages."""
    for (database, column), (what, parse) in _BODIES.items():
        _column(deployment.data / database, column, what, parse, report)
    for case_id, sequence, body in read(deployment.case_file, _CASES):
        report.examined("rows of cases")
        try:
            STEP.validate_json(body)
        except ValidationError as error:
            report.find("not-canonical", f"row {sequence} of case {case_id} is not of its form: {_first(error)}")
    _envelopes(deployment.database, report)
    _records(deployment.database, report)
    for part in deployment.files():
        if part.where.endswith(".package"):
            _package(part.where, part.path, report)


def _column(database: Path, column: str, what: str, parse: Callable[[bytes], object], report: Report) -> None:
    table, _, name = column.partition(".")
    report.examined("columns with a form")
    for (body,) in read(database, f'SELECT "{name}" FROM "{table}" WHERE "{name}" IS NOT NULL'):  # noqa: S608 - our own
        report.examined(what)
        try:
            parse(bytes(body))
        except (Malformed, ValidationError) as error:
            why = _first(error) if isinstance(error, ValidationError) else str(error)
            report.find("not-canonical", f"{column} in {database.name} has something else than its form: {why}")


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"


def _envelopes(database: Path, report: Report) -> None:
    """What stands around a sealed envelope is zeros, and there is just as much of it as its size says."""
    query = "SELECT message_id, size, filler, payload FROM envelope"
    for message_id, size, filler, payload in read(database, query):
        report.examined("envelopes that wait")
        if any(filler) or any(payload[size:]) or len(message_id) != _MESSAGE_ID or size not in BUCKETS:
            report.find("not-canonical", f"the envelope {bytes(message_id).hex()} has more around it than zeros")


def _records(database: Path, report: Report) -> None:
    for message_id, size in read(database, "SELECT message_id, size FROM traffic"):
        report.examined("traffic records")
        if len(message_id) != _MESSAGE_ID or size not in BUCKETS:
            report.find("not-canonical", f"a traffic record has an id of {len(message_id)} bytes and the size {size}")


def _package(where: str, path: Path, report: Report) -> None:
    """It is sealed: that it is a sealed stream, and ends as one, is all that can be seen of it here."""
    report.examined("packages")
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
    rest = (path.stat().st_size - _HEAD) % (CHUNK + TAG)
    if begins != MAGIC or path.stat().st_size < _HEAD + TAG or 0 < rest < TAG:
        report.find("not-canonical", f"{where} is no sealed package")


EXAMINATION: Final = Examination(
    title="what the relay keeps to tell, to publish and to hand over is of a closed form",
    needs=("columns with a form",),
    examine=examine,
)
