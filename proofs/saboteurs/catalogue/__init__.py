"""The saboteurs: a module each, with a `SABOTEUR`. A module that is put here is one of them."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from blindrelay.proofs.plugins import Plugins, is_file
from blindrelay.proofs.saboteurs.model import Saboteur


def names() -> list[str]:
    """All names, sorted. Nothing is imported for it."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(__path__))


_OWN = Plugins("SABOTEUR", Saboteur)


def find(name: str) -> Saboteur:
    """The saboteur of this name, or of this file (`my_saboteur.py`), which goes by its name, too, from then on.

    Raises `LookupError` when there is none, and `PluginRejected` for a file that has none.
    """
    if is_file(name):
        return _OWN.load(Path(name), frozenset(names()))
    if (loaded := _OWN.get(name)) is not None:
        return loaded
    if name not in names():
        raise LookupError(f"there is no saboteur {name!r}: `blindrelay sabotage list` shows them")
    found = import_module(f"{__name__}.{name.replace('-', '_')}").SABOTEUR
    assert isinstance(found, Saboteur)
    return found


def reference(name: str) -> str:
    """What another process finds it by."""
    return _OWN.reference(name)


def every() -> list[Saboteur]:
    """All of ours, by name."""
    return [find(name) for name in names()]
