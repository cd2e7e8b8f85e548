"""`python -m blindrelay.proofs.traffic [TRACE]`: what an observer would learn of a trace, in both postures.

TRACE has one `sender recipient seconds` per line, as for `blindrelay replay`; without one, an invented institution is taken.
The letters are not sent: what a relay would see of them is modelled (`blindrelay.proofs.traffic.model`).
"""

import argparse
import sys
from pathlib import Path

from blindrelay.clients.options import Options
from blindrelay.clients.sealed import Hygiene
from blindrelay.clients.simulation import trace
from blindrelay.clients.simulation.events import Scenario
from blindrelay.proofs.checks import traffic as check
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.traffic.population import invent


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(
        prog="python -m blindrelay.proofs.traffic", description="Measure what an observer would learn of a trace."
    )
    parser.add_argument("trace", type=Path, nargs="?", help="one `sender recipient seconds` per line")
    parser.add_argument("--letters", type=int, default=1_000, help="take the first so many (default: 1000)")
    receipt = Hygiene().receipt
    parser.add_argument(
        "--receipts",
        type=float,
        nargs=2,
        default=receipt,
        metavar=("LEAST", "MOST"),
        help=f"seconds that sealed receipts wait (default: {receipt[0]:g} {receipt[1]:g}, as clients do)",
    )
    arguments = parser.parse_args()
    try:
        scenario = _scenario(arguments.trace, arguments.letters)
    except (trace.TraceMalformed, OSError) as error:
        parser.error(str(error))
    report = Report(check.CHECK.reasons)
    options = Options(hygiene=Hygiene(receipt=(arguments.receipts[0], arguments.receipts[1])))
    check.measure_model(scenario, options, report)
    for one in report.verdict(check.CHECK.name, 0.0).measured:
        guess = "" if one.guess is None else f"  (guessing: {one.guess:.3f})"
        sys.stdout.write(f"{one.value:8.3f} {one.unit:6} {one.what}{guess}\n")
    return 0


def _scenario(path: Path | None, letters: int) -> Scenario:
    whole = invent(816, 3, seed=1) if path is None else trace.read(path, ["acme.example"])
    return Scenario(whole.people, whole.events[:letters])


if __name__ == "__main__":
    sys.exit(main())
