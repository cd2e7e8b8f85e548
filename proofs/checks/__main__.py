"""`python -m blindrelay.proofs.checks FOLDER NAME [OPTIONS]`: carry out one check, and print its verdict as a line of JSON.

NAME is that of a check of ours, or a file with a `CHECK`; the options are those of `blindrelay.proofs.evidence.scope.Scope`.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from blindrelay.proofs.checks.catalogue import find
from blindrelay.proofs.checks.model import carried_out
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.evidence.scope import Scope

#: A check that needs no run begins with it: whoever makes the evidence, for which the others wait, goes first.
_PATIENCE: Final = 5

if __name__ == "__main__":
    leave_with_the_parent()
    parser = argparse.ArgumentParser(description="Carry out a check.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    Scope.add_options(parser)
    arguments = parser.parse_args()
    examined = Evidence(arguments.folder, Scope.of(arguments))
    check = find(arguments.name)
    if not check.needs_a_run:
        os.nice(_PATIENCE)
    needs = () if examined.scope.reasons else check.needs
    verdict = carried_out(check, needs, partial(check.examine, examined))
    sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
