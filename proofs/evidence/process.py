"""What the system knows of a process beside its memory and its sockets (Linux, `/proc`)."""

import contextlib
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: Minor faults of children that were waited for: field 11 of proc(5), counted from behind the name, which may hold anything.
_CHILDREN_FAULTS: Final = 8
_CORE: Final = re.compile(r"^Max core file size\s+(\S+)\s+(\S+)", re.MULTILINE)


def core_limits(pid: int) -> tuple[str, str] | None:
    """How large a core of this process may be, soft and hard, in bytes or `unlimited`; None where the system does not tell."""
    try:
        found = _CORE.search(Path(f"/proc/{pid}/limits").read_text("ascii"))
    except OSError:
        return None
    return None if found is None else (found[1], found[2])


def copy_nameless(pid: int, into: Path) -> int:
    """Copy the files that the process has open and that have no name any more (temporary ones are deleted when they are
    opened); return how many there were. Raises `OSError` where the system does not tell."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            about = link.stat()
            if stat.S_ISREG(about.st_mode) and not about.st_nlink:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(link, into / link.name)
                count += 1
    return count


def offspring(pid: int) -> list[str]:
    """Signs that the process has, or has had, children: Python's audit hooks do not see what an event loop in C starts.

    Nothing where the system does not tell. Raises `OSError` when the process is gone.
    """
    return list(_signs(Path(f"/proc/{pid}"))) if Path("/proc/self/stat").exists() else []


def _signs(place: Path) -> Iterator[str]:
    faults = int((place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[_CHILDREN_FAULTS])
    if faults:
        yield f"it has had children: they have touched {faults} pages"
    for task in sorted((place / "task").iterdir()):
        children = task / "children"  # where the kernel has it
        for child in children.read_text("ascii").split() if children.exists() else ():
            name = Path(f"/proc/{child}/comm")
            yield f"it has a child: {name.read_text('utf-8', 'replace').strip() if name.exists() else child}"
