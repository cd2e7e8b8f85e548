"""What a relay sees of a scenario: the clients' habits, without the clients.

For populations that are too large to be played with real keys. What a letter causes (envelopes for each device, copies,
receipts, connections, and the pauses before them) is written down here a second time; a test plays the same scenario through a
real relay with real clients, and holds this to what was seen there.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log
from typing import Final

from blindrelay.clients.envelope import MIN_BUCKET, OVERHEAD
from blindrelay.clients.options import Options, Posture
from blindrelay.clients.sealed import Hygiene
from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from blindrelay.protocol.sizes import padme

#: People with a second device. The trace does not say; it is ours.
TWO_DEVICES: Final = 0.3
#: After how long somebody reads a letter: logarithm of seconds, mean and standard deviation. It is ours.
READING: Final = (log(300), 1.2)
#: How long a text is: logarithm of characters, mean and standard deviation. It is ours; the longest is 20,000.
TEXT: Final = (log(180), 1.2)
_LONGEST: Final = 20_000
#: What is around a text in a letter, and the length of a receipt. Bytes.
HEAD: Final = 136
RECEIPT: Final = 132
#: What is around a letter's content in its envelope, padding and HPKE apart: the checkpoint that was seen, part, ratchet
#: message, frame. Bytes.
FRAME: Final = 370
#: From the client to the relay and on.
_NETWORK: Final = 0.03


@dataclass(slots=True)
class _Route:
    name: str
    until: float


@dataclass
class Model:
    """Clients with their habits, and a relay."""

    scenario: Scenario
    posture: Posture
    options: Options = field(default_factory=Options)
    seed: int = 1

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - it is to be repeatable, not secret
        self._hygiene = Hygiene(
            self.options.hygiene.opening, self.options.hygiene.receipt, self.options.hygiene.idle, self._chance.random
        )
        self._devices = [self._devices_of(place) for place in range(len(self.scenario.people))]
        self._routes: dict[tuple[str, int], _Route] = {}

    def _devices_of(self, place: int) -> tuple[str, ...]:
        person = self.scenario.people[place]
        name = f"{person.tenant}/{person.user}"
        return (f"{name}/laptop", f"{name}/phone") if self._chance.random() < TWO_DEVICES else (f"{name}/laptop",)

    def play(self) -> Traffic:
        """What passes, all of it."""
        return Traffic.of(
            passed for number, event in enumerate(self.scenario.events) for passed in self._letter(event, str(number))
        )

    def _letter(self, event: Event, name: str) -> Iterator[tuple[Seen, Truth]]:
        sender = self._chance.choice(self._devices[event.sender])
        length = HEAD + text_length(self._chance)
        for recipient in event.recipients:
            at, route = self._leave(event.at, sender, recipient)
            for device in self._devices[recipient]:
                yield self._envelope(at, route, device, Truth(sender, Kind.LETTER, length, name))
            yield from self._receipts(at, recipient, sender, event.sender, name)
        others = [device for device in self._devices[event.sender] if device != sender]
        if others:
            at, route = self._leave(event.at + self._pause(), sender, event.sender)
            for device in others:
                yield self._envelope(at, route, device, Truth(sender, Kind.COPY, length, name))

    def _receipts(self, at: float, reader: int, sender: str, owner: int, name: str) -> Iterator[tuple[Seen, Truth]]:
        """Each device says that it has the letter, one of them that it was read."""
        seen_by = self._chance.choice(self._devices[reader])
        read = at + reading_time(self._chance)
        said = [(at, device) for device in self._devices[reader] if self.options.delivery_receipts]
        for due, device in [*said, *([(read, seen_by)] if self.options.read_receipts else [])]:
            left, route = self._leave(due + self._pause(), device, owner)
            yield self._envelope(left, route, sender, Truth(device, Kind.RECEIPT, RECEIPT, name))

    def _pause(self) -> float:
        """How long receipts and copies wait."""
        return self._hygiene.draw(self._hygiene.receipt) if self.posture is Posture.SEALED else 0.0

    def _leave(self, at: float, device: str, to: int) -> tuple[float, str]:
        """When what somebody wants to send to somebody leaves, and over which connection."""
        if self.posture is Posture.STANDARD:
            return at + _NETWORK * self._chance.random(), device
        route = self._routes.get((device, to))
        if route is None or not at <= route.until:
            at += self._hygiene.draw(self._hygiene.opening)
            route = self._routes[device, to] = _Route(f"c{self._chance.getrandbits(48):x}", at)
        route.until = max(route.until, at + self._hygiene.draw(self._hygiene.idle))
        return at + _NETWORK * self._chance.random(), route.name

    def _envelope(self, at: float, route: str, recipient: str, truth: Truth) -> tuple[Seen, Truth]:
        known = truth.sender if self.posture is Posture.STANDARD else None
        return Seen(at, known, recipient, size(truth.length), route), truth


def size(length: int) -> int:
    """Of the envelope for content of so many bytes."""
    return padme(max(length + FRAME + OVERHEAD, MIN_BUCKET))


def text_length(chance: random.Random) -> int:
    """How long somebody's text is. Characters."""
    return min(_LONGEST, int(chance.lognormvariate(*TEXT)))


def reading_time(chance: random.Random) -> float:
    """After how long somebody reads what has come. Seconds."""
    return chance.lognormvariate(*READING)
