"""Reconciliation in somebody's relay: each case was asked for by who signed for it, each package was approved, made and written
down, and no row was changed afterwards."""

import json
from base64 import b64decode
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.proofs.checks.deployed.model import Deployment, Examination
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.checks.reconciliation import File, chain, released, same
from blindrelay.protocol.certificates import load, public_key
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.officers import verify_officer
from blindrelay.relay.desk.journal import Subject

_ES256: Final = jwt.PyJWS(algorithms=["ES256"])


def examine(deployment: Deployment, report: Report) -> None:
    """The chain, then each case by itself, then what waits to be handed over."""
    file = File(deployment.case_file)
    report.examined("case files")
    chain(file, report)
    roots = _roots(file)
    for case_id in file.cases:
        report.examined("cases")
        _asked(case_id, file, roots, report)
        released(case_id, file, None, report)
        _carried(case_id, file, report)
    _waiting(deployment, file, report)
    report.skip("what authorities hold: each compares that with its own case (`blindrelay authority open`)")


def _roots(file: File) -> dict[str, set[bytes]]:
    """Certificates that the operator has entered for each authority, whether they count today or not."""
    found: dict[str, set[bytes]] = {}
    for row in file.of(Subject.REGISTER, "authority-entered"):
        card = row["body"]["card"]
        der = x509.load_pem_x509_certificate(card["root_certificate"].encode()).public_bytes(Encoding.DER)
        found.setdefault(card["id"], set()).add(der)
    return found


def _asked(case_id: str, file: File, roots: dict[str, set[bytes]], report: Report) -> None:
    """The request in the file is the one that an officer of a registered authority has signed."""
    for row in file.of(case_id, "received"):
        report.examined("signatures of requests")
        request = row["body"]["request"]
        try:
            signed = _signed(row["body"]["jws"], row["at"], roots.get(row["authority_id"], set()))
        except (Malformed, VerificationFailed, jwt.PyJWTError, ValueError, LookupError) as error:
            report.find("unasked", f"the request of case {case_id} is not signed by {row['authority_id']}: {error}")
            continue
        if not same(signed.get("document"), request):
            report.find("unasked", f"the request of case {case_id} is another one than was signed")


def _signed(token: str, at: str, roots: set[bytes]) -> dict[str, Any]:
    leaf, root = (b64decode(part, validate=True) for part in jwt.get_unverified_header(token)["x5c"])
    if root not in roots:
        raise VerificationFailed("register", "no authority of this name was ever entered with this certificate")
    certificate = load(leaf)
    payload = _ES256.decode(token, key=public_key(certificate), algorithms=["ES256"])
    verify_officer(certificate, load(root), datetime.fromisoformat(at).timestamp())
    return dict(json.loads(payload))


def _carried(case_id: str, file: File, report: Report) -> None:
    """What was handed over had been made before; what was made has no class that was not given."""
    made = {row["body"]["demand"] for row in file.of(case_id, "packaged")}
    for row in file.of(case_id, "released"):
        report.examined("packages that were handed over")
        if row["body"]["demand"] not in made:
            report.find("not-recorded", f"{case_id}/{row['body']['demand']} was handed over, and was never made")
    given = {
        (demand["demand_id"], item["data_class"])
        for row in file.of(case_id, "decided")
        for demand in row["body"]["decision"]["demands"]
        for item in demand["classes"]
        if item["outcome"] in {"granted", "narrowed"}
    }
    for row in file.of(case_id, "packaged"):
        for data_class in row["body"]["records"]:
            if (row["body"]["demand"], data_class) not in given:
                report.find("not-granted", f"{case_id}/{row['body']['demand']} has {data_class}, which was not granted")


def _waiting(deployment: Deployment, file: File, report: Report) -> None:
    """A package that waits is one that is written down."""
    digests = {row["body"]["digest"] for case_id in file.cases for row in file.of(case_id, "packaged")}
    for part in deployment.files():
        if part.where.endswith(".package") and not part.path.name.startswith("."):
            report.examined("packages that wait")
            if sha256(part.path.read_bytes()).hexdigest() not in digests:
                report.find(
                    "not-recorded", f"{part.where} waits to be handed over, and the case file has no such package"
                )


def unfit(deployment: Deployment) -> str:
    """Why this cannot be examined here, if so."""
    return "" if deployment.case_file.exists() else "this relay has no lawful desk, and so no case file"


EXAMINATION: Final = Examination(
    title="each case was signed for, each package approved and written down, and no row was changed",
    needs=("case files",),
    examine=examine,
    unfit=unfit,
)
