"""Which checks a data directory can bear out, and why the others need a run."""

from importlib import import_module
from typing import Final

from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.deployed.model import Deployment, Examination

#: The modules of this package with an `EXAMINATION`, in the order of the checks.
NAMES: Final = ("canary", "policy", "forms", "inventory", "retention", "reconciliation", "leaves")
_WHY_NOT: Final = {
    "wire": "what crosses the wire is on no disk",
    "isolation": "it is about the process, and not about what that leaves",
    "non-interference": "it takes two worlds, and there is one",
    "attacks": "whoever would notice is elsewhere: the clients, and `blindrelay auditor check`",
}
_NOT_ON_DISK: Final = "a data directory does not show it"


def find(name: str) -> Examination:
    """How the check of this name examines somebody's relay; raise `LookupError` when it does not."""
    if name not in NAMES:
        raise LookupError(f"the check {name!r} needs a run: {why_not(name)}")
    found = import_module(f"blindrelay.proofs.checks.deployed.{name.replace('-', '_')}").EXAMINATION
    assert isinstance(found, Examination)  # noqa: S101 - that is what these modules have
    return found


def why_not(name: str) -> str:
    """Why a check does not examine a data directory."""
    return _WHY_NOT.get(name, _NOT_ON_DISK)


def left_out(deployment: Deployment) -> dict[str, str]:
    """The checks that cannot examine this relay, each with the reason."""
    reasons = {name: find(name).unfit(deployment) if name in NAMES else why_not(name) for name in catalogue.NAMES}
    return {name: why for name, why in reasons.items() if why}
