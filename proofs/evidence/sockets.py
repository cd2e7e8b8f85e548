"""A process's sockets, as the system knows them (Linux, `/proc`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"
_ESTABLISHED: Final = frozenset({"01", "02"})  # or about to be
_TABLES: Final = ("tcp", "tcp6", "udp", "udp6")


@dataclass(frozen=True, slots=True)
class _Socket:
    inode: str
    local: tuple[str, int]
    peer: tuple[str, int]
    state: str


def outward(pid: int) -> list[str]:
    """Peers (`address:port`) of connections that the process has made. Raises `OSError` where the system does not tell."""
    mine = _inodes(pid)
    sockets = [each for table in _TABLES for each in _table(Path(f"/proc/{pid}/net/{table}")) if each.inode in mine]
    listens = {each.local[1] for each in sockets if each.state == _LISTEN}
    return sorted(
        f"{each.peer[0]}:{each.peer[1]}"
        for each in sockets
        if each.state in _ESTABLISHED and each.peer[1] and each.local[1] not in listens
    )


def _inodes(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _table(path: Path) -> Iterator[_Socket]:
    if not path.exists():
        return
    for line in path.read_text("ascii").splitlines()[1:]:
        fields = line.split()
        yield _Socket(fields[9], _address(fields[1]), _address(fields[2]), fields[3])


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    raw = b"".join(bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8))
    return str(IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)), int(port, 16)
