"""A process's memory, as it is at a moment: what it may write to, into a file."""

import re
from pathlib import Path
from typing import BinaryIO, Final

_REGION: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)")
_PIECE: Final = 1 << 22
_PAGE: Final = 4_096
#: Kernel pages that look like memory and cannot be read.
_KERNELS: Final = frozenset({"[vvar]", "[vsyscall]", "[vdso]", "[vvar_vclock]"})


def can_dump() -> bool:
    """Whether this system shows a process's memory to its parent: Linux does."""
    return Path("/proc/self/mem").exists()


def dump(pid: int, out: Path) -> int:
    """Write every page that the process may write to, zero pages left out, to `out`; return how many bytes were looked at.

    Raises `OSError` when the system does not let us, or the process is gone.
    """
    regions = Path(f"/proc/{pid}/maps").read_text("utf-8", "replace").splitlines()
    looked_at = 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory, out.open("wb") as file:
        for line in regions:
            match = _REGION.match(line)
            if match is not None and "w" in match[3] and "r" in match[3] and match[5] not in _KERNELS:
                looked_at += _copy(memory, int(match[1], 16), int(match[2], 16), file)
    return looked_at


def _copy(memory: BinaryIO, start: int, end: int, file: BinaryIO) -> int:
    looked_at = 0
    while start < end:
        try:
            memory.seek(start)
            piece = memory.read(min(_PIECE, end - start))
        except OSError:  # unmapped meanwhile, or a page that the kernel keeps to itself
            return looked_at
        if not piece:
            return looked_at
        start += len(piece)
        looked_at += len(piece)
        if piece.count(0) < len(piece):
            file.write(_without_empty_pages(piece))
    return looked_at


def _without_empty_pages(piece: bytes) -> bytes:
    """Stretches of used pages, an empty one between them: nothing is joined that is not joined in memory."""
    empty = bytes(_PAGE)
    pages = [piece[start : start + _PAGE] for start in range(0, len(piece), _PAGE)]
    kept: list[bytes] = []
    for page in pages:
        if page != empty:
            kept.append(page)
        elif kept and kept[-1] is not empty:
            kept.append(empty)
    return b"".join(kept)
