"""Checks and saboteurs of one's own: a Python file each, with a `CHECK` or a `SABOTEUR` in it.

They are named by their file wherever one of ours is named by its name. Nothing is looked for anywhere: whoever wants a plug-in
names its file, and so nothing that happens to be installed can change what a proof says.
"""

import sys
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from blindrelay.protocol.errors import BlindrelayError


class Named(Protocol):
    """Something with a name."""

    @property
    def name(self) -> str:
        """It."""


T = TypeVar("T", bound=Named)


class PluginRejected(BlindrelayError):
    """A file is no plug-in. The message says what it lacks."""


def is_file(reference: str) -> bool:
    """Whether somebody means a file, and not the name of one of ours."""
    return reference.endswith(".py") or "/" in reference


class Plugins(Generic[T]):
    """Those of one kind that have been loaded in this process.

    Args:
        attribute: what a module has to have.
        kind: what that has to be.
    """

    def __init__(self, attribute: str, kind: type[T]) -> None:
        self._attribute = attribute
        self._kind = kind
        self._paths: dict[str, Path] = {}
        self._loaded: dict[str, T] = {}

    def load(self, path: Path, taken: frozenset[str]) -> T:
        """Load a file, once.

        Args:
            taken: names of ours, which a plug-in cannot have.

        Raises `PluginRejected`.
        """
        path = path.absolute()
        found = getattr(_module(path), self._attribute, None)
        if not isinstance(found, self._kind):
            raise PluginRejected(f"{path} has no {self._attribute}: it has to be a {self._kind.__name__}")
        if found.name in taken or self._paths.get(found.name, path) != path:
            raise PluginRejected(f"{path}: there is another {self._kind.__name__.lower()} {found.name!r}: rename yours")
        self._paths[found.name] = path
        self._loaded[found.name] = found
        return found

    def get(self, name: str) -> T | None:
        """One that has been loaded, by its name; None when there is none."""
        return self._loaded.get(name)

    def reference(self, name: str) -> str:
        """What to call it by in another process: its file, or the name of one of ours."""
        return str(self._paths.get(name, name))


def _module(path: Path) -> Any:
    name = f"blindrelay_plugin_{sha256(str(path).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    specification = spec_from_file_location(name, path)
    if specification is None or specification.loader is None or not path.is_file():
        raise PluginRejected(f"there is no file {path}, or it is no Python file (.py)")
    module = sys.modules[name] = module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PluginRejected(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module
