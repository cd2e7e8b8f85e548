"""The letters of a scenario, and what has become of each: asked of the devices and of the relay's store, not assumed."""

from dataclasses import dataclass, field
from datetime import datetime

from blindrelay.policies.scenarios.steps import Send


@dataclass(slots=True)
class Posted:
    """A letter that somebody has tried to send.

    Attributes:
        message_ids: of the envelopes that the relay took, one for each device of the recipient.
        expires_at: when the relay may give them up.
        refusal: what the sender was told instead; None when it was taken.
        read_on: devices that have decrypted it word for word.
    """

    send: Send
    at: datetime
    expires_at: datetime
    message_ids: frozenset[bytes] = frozenset()
    refusal: str | None = None
    read_on: set[str] = field(default_factory=set)


class WrongWords(Exception):
    """A device has decrypted something that nobody wrote."""
