"""What saboteurs give a name to that nothing had: there they replace nothing, and are harmless.

    python -m support.aim SABOTEUR...

A process of its own: what a saboteur does to the product's modules cannot be undone.
"""

import sys
from importlib import import_module
from pkgutil import walk_packages

from blindrelay.proofs.saboteurs.catalogue import find


def places() -> dict[str, object]:
    """The modules of the product and the classes that they define, by name."""
    found: dict[str, object] = {}
    for room in ("relay", "clients", "policies", "protocol"):
        package = import_module(f"blindrelay.{room}")
        for name in (info.name for info in walk_packages(package.__path__, f"{package.__name__}.")):
            if not name.endswith("__main__"):
                module = found[name] = import_module(name)
                classes = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name]
                found |= {f"{name}.{each.__qualname__}": each for each in classes}
    return found


def inherited(place: object, name: str) -> bool:
    """Whether a class has it from another: to define it anew is to replace it."""
    return isinstance(place, type) and any(name in vars(base) for base in place.__mro__[1:])


def main() -> None:
    """A line for each."""
    everywhere = places()
    known = {where: {*vars(place)} for where, place in everywhere.items()}
    for name in sys.argv[1:]:
        saboteur = find(name)
        saboteur.in_relay()
        saboteur.in_clients()
        for where, place in everywhere.items():
            for new in sorted(vars(place).keys() - known[where]):
                if not inherited(place, new):
                    sys.stdout.write(f"{saboteur.name}: {where} had no {new}\n")
            known[where] = {*vars(place)}


if __name__ == "__main__":
    main()
