"""`python -m blindrelay.proofs.checks FOLDER NAME`: carry out one check, and print its verdict as a line of JSON."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from blindrelay.proofs.checks.catalogue import find
from blindrelay.proofs.checks.model import Report, Verdict
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.parent import leave_with_the_parent


def carry_out(folder: Path, name: str) -> Verdict:
    """A check of the evidence in `folder`. What it raises makes its verdict an error: that is no pass."""
    check, began = find(name), time.monotonic()
    report = Report(check.reasons)
    error = None
    try:
        check.examine(Evidence(folder), report)
        if missing := report.missing(check.needs):
            error = f"nothing was examined of: {', '.join(missing)}"
    except Exception as failed:  # noqa: BLE001 - whatever it is
        error = f"{type(failed).__name__}: {failed}"
    return report.verdict(name, time.monotonic() - began, error)


if __name__ == "__main__":
    leave_with_the_parent()
    sys.stdout.write(json.dumps(asdict(carry_out(Path(sys.argv[1]), sys.argv[2]))) + "\n")
