"""A second Python environment that holds what a relay needs and nothing else.

No network and no installer: the packages are linked from the environment that runs the tests, chosen by following the
project's own declared dependencies without extras. What the project does not declare for a relay is therefore absent.
"""

import sys
import venv
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

import blindrelay

#: The rooms that a relay consists of. `clients` and `proofs` are not among them.
RELAY_ROOMS = ("cli", "policies", "protocol", "relay", "witness")


def declared_closure(distribution: str, found: set[str] | None = None) -> set[str]:
    """The distributions that `distribution` needs without extras, itself included."""
    found = set() if found is None else found
    name = distribution.lower().replace("_", "-")
    if name not in found:
        found.add(name)
        for line in metadata.distribution(name).requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                declared_closure(requirement.name, found)
    return found


def create(folder: Path) -> Path:
    """Make the environment in `folder`; return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for name in declared_closure("blindrelay") - {"blindrelay"}:
        _link_distribution(metadata.distribution(name), site)
    package = site / "blindrelay"
    package.mkdir()
    source = Path(blindrelay.__file__).parent
    for entry in ("__init__.py", "__main__.py", *RELAY_ROOMS):
        (package / entry).symlink_to((source / entry).resolve())
    return folder / "bin" / "python"


def _link_distribution(distribution: metadata.Distribution, site: Path) -> None:
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        target = site / top
        if not target.exists():
            target.symlink_to(Path(str(distribution.locate_file(top))).resolve())
