"""What a power cut leaves of a folder, where a file's bytes are sure once it was synced, and its name once its folder was.

`watched` records what this process does to the disk below a folder. After each step, `Moment`s are the ways in which the disk
may be found by then. What a process that is killed leaves is among them: everything that it had done.
"""

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

#: Path -> bytes of a file; None: a folder.
Files = dict[Path, bytes | None]
Change = tuple[Path, bytes | None, bool]  # name, content, whether it is there or gone
EFFECTS: Final = ("fsync", "replace", "unlink", "mkdir", "rmdir")


@dataclass(frozen=True)
class Moment:
    """The disk as it may be found, and what had been promised by then."""

    what: str
    files: Files = field(repr=False)
    promised: Any

    def lay_out(self, folder: Path) -> None:
        """Make the folder what was found."""
        folder.mkdir(parents=True)
        for path in sorted(self.files):
            content = self.files[path]
            if content is None:
                (folder / path).mkdir()
            else:
                (folder / path).write_bytes(content)


class Disk:
    """A folder as a power cut sees it. `promised` is asked at each moment."""

    def __init__(self, root: Path, promised: Callable[[], object]) -> None:
        self.moments: list[Moment] = []
        self._root = root
        self._promised = promised
        self._durable: Files = {}
        self._pending: list[Change] = []
        self._contents: dict[Path, bytes] = {}
        self._chance = random.Random("power")

    def happened(self, effect: str, *given: Any) -> None:
        """An effect that is done."""
        path = Path(f"/proc/self/fd/{given[0]}").readlink() if effect == "fsync" else Path(os.fspath(given[0]))
        if not path.is_relative_to(self._root):
            return
        match effect:
            case "fsync" if path.is_dir():
                mine = [change for change in self._pending if change[0].parent == self._name(path)]
                self._pending = [change for change in self._pending if change not in mine]
                _carry_out(self._durable, mine)
            case "fsync":
                self._contents[path] = path.read_bytes()
            case "replace":
                # A file that was not synced before it got its name may be found empty.
                self._pending.append((self._name(Path(given[1])), self._contents.pop(path, b""), True))
            case "mkdir":
                self._pending.append((self._name(path), None, True))
            case _:
                self._pending.append((self._name(path), None, False))
        self._look(f"after {effect} {self._name(path)}")

    def _name(self, path: Path) -> Path:
        return path.relative_to(self._root)

    def _look(self, what: str) -> None:
        pending = self._pending
        some = [change for change in pending if self._chance.random() < 0.5]
        for how, kept in {
            "all": pending,
            "nothing": [],
            "what was removed": [change for change in pending if not change[2]],
            "what was added": [change for change in pending if change[2]],
            "some": some,
        }.items():
            files = dict(self._durable)
            _carry_out(files, kept)
            # What is in a folder whose name is not there cannot be found.
            whole = {path: data for path, data in files.items() if _is_reachable(files, path)}
            if not any(moment.files == whole for moment in self.moments[-5:]):
                self.moments.append(Moment(f"{what}, {how} of what was not synced", whole, self._promised()))


def _carry_out(files: Files, changes: list[Change]) -> None:
    for path, content, is_there in changes:
        if is_there:
            files[path] = content
        else:
            files.pop(path, None)


def _is_reachable(files: Files, path: Path) -> bool:
    return all(files.get(parent, b"") is None for parent in path.parents if parent != Path())


@contextlib.contextmanager
def watched(root: Path, promised: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Record what happens below `root`, which is there and empty."""
    disk = Disk(root, promised)

    def around(effect: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def act(*given: Any, **options: Any) -> Any:
            # Nothing is really synced: it takes its time, and the power stays on.
            done = None if effect == "fsync" else call(*given, **options)
            disk.happened(effect, *given)
            return done

        return act

    with monkeypatch.context() as patched:
        for effect in EFFECTS:
            patched.setattr(os, effect, around(effect, getattr(os, effect)))
        yield disk
