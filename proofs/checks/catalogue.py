"""The checks, in the order in which a reader wants them. A module that is named here is one of them."""

from importlib import import_module
from pathlib import Path

from blindrelay.proofs.checks.model import Check
from blindrelay.proofs.plugins import Plugins, is_file

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
    "traffic",
)


_OWN = Plugins("CHECK", Check)


def find(name: str) -> Check:
    """The check of this name, or of this file (`my_check.py`), which goes by its name, too, from then on.

    Raises `LookupError` when there is none, and `PluginRejected` for a file that has none.
    """
    if is_file(name):
        return _OWN.load(Path(name), frozenset(NAMES))
    if (loaded := _OWN.get(name)) is not None:
        return loaded
    if name not in NAMES:
        raise LookupError(f"there is no check {name!r}: there are {', '.join(NAMES)}")
    found = import_module(f"blindrelay.proofs.checks.{name.replace('-', '_')}").CHECK
    assert isinstance(found, Check)  # noqa: S101 - that is what these modules have
    return found


def reference(name: str) -> str:
    """What another process finds it by."""
    return _OWN.reference(name)


def every() -> list[Check]:
    """All of ours."""
    return [find(name) for name in NAMES]
