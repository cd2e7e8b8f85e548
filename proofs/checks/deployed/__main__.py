"""`python -m blindrelay.proofs.checks.deployed FILE NAME`: examine the relay that FILE tells of; print a verdict as JSON."""

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from blindrelay.proofs.checks.catalogue import find
from blindrelay.proofs.checks.deployed import catalogue
from blindrelay.proofs.checks.deployed.model import Deployment
from blindrelay.proofs.checks.model import carried_out
from blindrelay.proofs.evidence.parent import leave_with_the_parent

if __name__ == "__main__":
    leave_with_the_parent()
    parser = argparse.ArgumentParser(description="Examine somebody's relay.")
    parser.add_argument("file", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    told = Deployment.model_validate_json(arguments.file.read_bytes())
    examination = catalogue.find(arguments.name)
    verdict = carried_out(find(arguments.name), examination.needs, partial(examination.examine, told))
    sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
