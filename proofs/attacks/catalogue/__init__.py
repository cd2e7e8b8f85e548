"""The attacks: a module each, with an `ATTACK`. A module that is put here is one of them."""

from importlib import import_module
from pkgutil import iter_modules

from blindrelay.proofs.attacks.model import Attack


def names() -> list[str]:
    """All names, sorted. Nothing is imported for it."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(__path__))


def find(name: str) -> Attack:
    """The attack of this name; raise `LookupError` when there is none."""
    if name not in names():
        raise LookupError(f"there is no attack {name!r}: expected one of {', '.join(names())}")
    found = import_module(f"{__name__}.{name.replace('-', '_')}").ATTACK
    assert isinstance(found, Attack)  # noqa: S101 - the modules are ours
    return found


def every() -> list[Attack]:
    """All of them, by name."""
    return [find(name) for name in names()]
