"""`python -m blindrelay.proofs.checks FOLDER NAME [--quick] [--saboteur NAME]`: carry out one check, and print its verdict as a
line of JSON."""

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


def carry_out(evidence: Evidence, name: str) -> Verdict:
    """A check. What it raises makes its verdict an error: that is no pass."""
    check, began = find(name), time.monotonic()
    report = Report(check.reasons)
    error = None
    try:
        check.examine(evidence, report)
        if missing := report.missing(check.needs):
            error = f"nothing was examined of: {', '.join(missing)}"
    except Exception as failed:  # noqa: BLE001 - whatever it is
        error = f"{type(failed).__name__}: {failed}"
    return report.verdict(name, time.monotonic() - began, error)


if __name__ == "__main__":
    leave_with_the_parent()
    parser = argparse.ArgumentParser(description="Carry out a check.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--saboteur", default="")
    arguments = parser.parse_args()
    examined = Evidence(arguments.folder, quick=arguments.quick, saboteur=arguments.saboteur)
    sys.stdout.write(json.dumps(asdict(carry_out(examined, arguments.name))) + "\n")
