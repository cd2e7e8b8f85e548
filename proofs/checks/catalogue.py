"""The checks, in the order in which a reader wants them. A module that is named here is one of them."""

from importlib import import_module

from blindrelay.proofs.checks.model import Check

#: The modules of this package with a `CHECK`.
NAMES = (
    "canary",
    "wire",
    "isolation",
    "policy",
    "forms",
    "inventory",
    "retention",
    "non-interference",
    "reconciliation",
    "leaves",
    "attacks",
)


def find(name: str) -> Check:
    """The check of this name; raise `LookupError` when there is none."""
    if name not in NAMES:
        raise LookupError(f"there is no check {name!r}: there are {', '.join(NAMES)}")
    found = import_module(f"blindrelay.proofs.checks.{name.replace('-', '_')}").CHECK
    assert isinstance(found, Check)  # noqa: S101 - that is what these modules have
    return found


def every() -> list[Check]:
    """All of them."""
    return [find(name) for name in NAMES]
