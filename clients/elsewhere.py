"""Where a connection goes next: to the relay's address, or to where the relay has sent it (MQTT 5, 4.11).

A relay that stops names other servers in a Server Reference. They are tried in their order, each until it fails once; then
it is the relay's own address again, which a client never forgets. Whoever answers must show a certificate that the same CA
vouches for, under the name that was given.
"""

import re
from collections import deque
from typing import Final, NamedTuple

# A reference names a handful of servers. More is not help.
MAX_REFERENCES: Final = 8
_HOST_PORT: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})", re.ASCII)


class Place(NamedTuple):
    """A host, an IPv6 address without its brackets, and a port."""

    host: str
    port: int


class Elsewhere:
    """The servers of one connection; `here` is the one to try now. `home`, the relay's own address, is always the last."""

    def __init__(self, home: Place) -> None:
        self._places = deque([home])
        self._home = home

    @property
    def here(self) -> Place:
        """Where to connect now."""
        return self._places[0]

    def told(self, reference: str) -> bool:
        """The relay says where to go on. What is not host:port is passed over; False when nothing is left."""
        places = parse(reference)
        if places:
            self._places = deque([*places, self._home])
        return bool(places)

    def failed(self) -> None:
        """It was not to be had there."""
        if len(self._places) > 1:
            self._places.popleft()


def parse(reference: str) -> list[Place]:
    """The servers that a Server Reference names, in its order: host:port, with spaces between them."""
    found = (_HOST_PORT.fullmatch(word) for word in reference.split()[:MAX_REFERENCES])
    places = (Place(match[1].strip("[]"), int(match[2])) for match in found if match)
    return [place for place in places if 0 < place.port <= 65_535]
