"""What the system knows of a process beside its memory and its sockets (Linux, `/proc`)."""

import contextlib
import re
import shutil
import stat
from pathlib import Path
from typing import Final

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
