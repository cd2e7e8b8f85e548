"""Whose connection it is that a balancer hands on: the PROXY protocol, version 2, as HAProxy and others speak it
(https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.2).

Without it every client of a balancer would be one address, with the limits of one and the record of one. Only those who are
named may say it (`proxies`), and they have to: a header from somebody else would be a name that anybody can choose.
"""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Sequence
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_HEAD: Final = struct.Struct("!12sBBH")
#: Addresses of the longest family, and what a balancer may add: it says nothing that is of use here.
_MAX_REST: Final = 1_024
_LOCAL, _PROXY = 0x20, 0x21
_ADDRESSES: Final = {0x11: (socket.AF_INET, 4, 12), 0x21: (socket.AF_INET6, 16, 36)}


class NoHeader(OSError):
    """What a balancer says first is not there, or is something else."""


class Proxies:
    """Who may say whose a connection is."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[Network] = [ipaddress.ip_network(network) for network in networks]

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


async def behind(accepted: socket.socket) -> str | None:
    """Read the header, and nothing behind it; the client's address, None when the balancer speaks for itself.

    Raises `NoHeader`; `OSError`: the connection is gone. Nothing here bounds the time.
    """
    signature, command, family, length = _HEAD.unpack(await _exactly(accepted, _HEAD.size))
    if signature != _SIGNATURE or command not in {_LOCAL, _PROXY} or length > _MAX_REST:
        raise NoHeader("expected the PROXY protocol, version 2")
    rest = await _exactly(accepted, length)
    if command == _LOCAL:
        return None
    if family not in _ADDRESSES or length < _ADDRESSES[family][2]:
        raise NoHeader("expected an address of TCP over IPv4 or IPv6")
    kind, size, _ = _ADDRESSES[family]
    return socket.inet_ntop(kind, rest[:size])


async def _exactly(accepted: socket.socket, count: int) -> bytes:
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < count:
        piece = await loop.sock_recv(accepted, count - len(data))
        if not piece:
            raise NoHeader("the connection ended before it began")
        data += piece
    return data
