"""`python -m blindrelay.proofs.checks FOLDER NAME [OPTIONS]`: carry out one check, and print its verdict as a line of JSON.

NAME is that of a check of ours, or a file with a `CHECK`; the options are those of `blindrelay.proofs.evidence.scope.Scope`.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from blindrelay.proofs.checks.catalogue import find
from blindrelay.proofs.checks.model import Report, Verdict
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.evidence.scope import Scope


def carry_out(evidence: Evidence, name: str) -> Verdict:
    """A check. What it raises makes its verdict an error: that is no pass."""
    check, began = find(name), time.monotonic()
    report = Report(check.reasons)
    error = None
    try:
        check.examine(evidence, report)
        if not evidence.scope.reasons and (missing := report.missing(check.needs)):
            error = f"nothing was examined of: {', '.join(missing)}"
    except Exception as failed:  # noqa: BLE001 - whatever it is
        error = f"{type(failed).__name__}: {failed}"
    return report.verdict(check.name, time.monotonic() - began, error)


if __name__ == "__main__":
    leave_with_the_parent()
    parser = argparse.ArgumentParser(description="Carry out a check.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    Scope.add_options(parser)
    arguments = parser.parse_args()
    examined = Evidence(arguments.folder, Scope.of(arguments))
    sys.stdout.write(json.dumps(asdict(carry_out(examined, arguments.name))) + "\n")
