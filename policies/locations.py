"""Where packs lie."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from blindrelay.policies.findings import BEGINNING, Finding, PacksRejected, Severity
from blindrelay.policies.reading import INVARIANTS, MANIFEST

SHIPPED: Final = Path(str(files("blindrelay.policies"))) / "packs"


def pack_folders(paths: Sequence[Path] | None = None) -> list[Path]:
    """Folders of the packs that `paths` name, sorted by name; the shipped ones for None.

    The shipped invariants are always among them, unless `paths` bring invariants of their own, which have to forbid as much.

    Raises:
        PacksRejected: a path holds no pack, or two of them hold the same one.
    """
    if paths is None:
        return _below(SHIPPED)
    folders = [folder for path in paths for folder in _packs_at(path)]
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.name in found and found[folder.name].resolve() != folder.resolve():
            _reject(folder, f"the pack {folder.name} is there twice: {found[folder.name]} and {folder}")
        found[folder.name] = folder
    found.setdefault(INVARIANTS, SHIPPED / INVARIANTS)
    return [found[name] for name in sorted(found)]


def _packs_at(path: Path) -> list[Path]:
    if not path.is_dir():
        _reject(path, f"{path} is not a folder")
    folders = [path] if _is_pack(path) else _below(path)
    if not folders:
        _reject(path, f"{path} holds no pack: a pack is a folder with a {MANIFEST} and .cedar files")
    return folders


def _below(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and _is_pack(child))


def _is_pack(folder: Path) -> bool:
    return (folder / MANIFEST).exists() or any(folder.glob("*.cedar"))


def _reject(path: Path, message: str) -> None:
    raise PacksRejected((Finding(str(path), *BEGINNING, Severity.ERROR, "packs", message),))
