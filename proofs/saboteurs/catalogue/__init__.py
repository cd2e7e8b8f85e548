"""The saboteurs: a module each, with a `SABOTEUR`. A module that is put here is one of them."""

from importlib import import_module
from pkgutil import iter_modules

from blindrelay.proofs.saboteurs.model import Saboteur


def names() -> list[str]:
    """All names, sorted. Nothing is imported for it."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(__path__))


def find(name: str) -> Saboteur:
    """The saboteur of this name; raise `LookupError` when there is none."""
    if name not in names():
        raise LookupError(f"there is no saboteur {name!r}: `blindrelay sabotage list` shows them")
    found = import_module(f"{__name__}.{name.replace('-', '_')}").SABOTEUR
    assert isinstance(found, Saboteur)
    return found


def every() -> list[Saboteur]:
    """All of them, by name."""
    return [find(name) for name in names()]
