"""Notices: who is told of a disclosure is whoever's records are in it."""

from pathlib import Path

import pytest

from blindrelay.policies.package import FRAME, KINDS, FileName
from blindrelay.policies.vocabulary import DataClass
from blindrelay.proofs.checks import told
from blindrelay.proofs.evidence.manifest import Case, DeviceFacts
from support.proofs import evidence, reasons, report_for

ALICE = "acme.example/alice/laptop"
CASE = "0b9c3f3e-6f0a-4f3e-9a0e-0d2b7f3c1a55"
RECORDS = list(FileName).index(FileName(KINDS[DataClass.SUBSCRIBER].json_file))


def framed(number: int, data: bytes) -> bytes:
    """A file of a package."""
    return FRAME.pack(number, len(data)) + data


@pytest.mark.parametrize(
    ("package", "found"),
    [
        (framed(0, b"{}"), []),
        (framed(0, b"{}") + framed(RECORDS, b'{"record":"subscriber"}\n'), ["untold"]),
        (b"no package", ["untold"]),
    ],
    ids=["nothing in it", "a record", "who knows what"],
)
def test_a_package_owes_a_notice_if_there_is_something_in_it(package: bytes, found: list[str], tmp_path: Path) -> None:
    """Nobody's records have left with an empty one."""
    facts = DeviceFacts(sealing_seeds=[], identity_key=b"", certificate_sha256=b"", token_sha256=b"")
    target = {"format": "user", "value": "alice@acme.example"}
    case = Case(
        authority="us-police", instrument="us/emergency-request", case_id=CASE,
        request={"demands": [{"id": "stored", "targets": [target]}]}, packages={"stored": "packages/stored"},
    )  # fmt: skip
    run = evidence(tmp_path, devices={ALICE: facts}, notices={})
    vars(run)["packages"] = {f"{CASE}/stored": package}
    report = report_for("reconciliation")

    told.examine(run, {CASE: case}, report)

    assert reasons(report) == found
