"""Who writes to whom, and when."""

from collections.abc import Iterator
from dataclasses import dataclass

from blindrelay.protocol.address import UserAddress


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody writes one letter.

    Attributes:
        at: seconds of the scenario's own time since its beginning.
        sender: the writer's place in `Scenario.people`.
        recipients: the others' places; distinct, and never the sender.
    """

    at: float
    sender: int
    recipients: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is going to happen.

    Attributes:
        people: everybody who takes part.
        events: in order of time.
        to_self: messages of the source that people wrote to themselves, which are left out: with one device each, there is
            nobody to deliver them to.
    """

    people: tuple[UserAddress, ...]
    events: tuple[Event, ...]
    to_self: int = 0

    @property
    def messages(self) -> int:
        """How many messages that is: a letter to five people is five."""
        return sum(len(event.recipients) for event in self.events)

    @property
    def seconds(self) -> float:
        """From the beginning to the last event."""
        return self.events[-1].at if self.events else 0.0

    def tenants(self) -> Iterator[str]:
        """Each enterprise once, in order of first appearance."""
        return iter(dict.fromkeys(person.tenant for person in self.people))
