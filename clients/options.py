"""How a device behaves; every value has a default that suits a person."""

from dataclasses import dataclass, field
from enum import StrEnum

from blindrelay.clients.connection import Backoff
from blindrelay.clients.directory import MAX_AGE
from blindrelay.clients.log_records import Habits
from blindrelay.clients.sealed import Hygiene
from blindrelay.protocol.sizes import MAX_TTL


class Posture(StrEnum):
    """What the relay learns about who writes."""

    STANDARD = "standard"  # sender, recipient, time, padded size
    SEALED = "sealed"  # the same without the sender


@dataclass(frozen=True, slots=True)
class Options:
    """A device's habits.

    Attributes:
        posture: for letters that name none.
        read_receipts: whether receiving a letter tells its sender that it was read. Without, `Message.mark_read` does.
        delivery_receipts: whether senders are told that this device has stored their letter.
        share_profile: whether people this device writes to get the user's delivery token, and so may write anonymously.
        display_name: goes with the profile.
        keep_history: whether conversations are kept in the key store.
        time_to_live: how long the relay keeps a letter that nobody fetches. Seconds, `MAX_TTL` at most.
        directory_age: see `directory.MAX_AGE`. Seconds.
        timeout: for each step that waits for the relay. Seconds.
        farewell: how long leaving waits for what is still to be sent. Seconds.
        witnesses: how many witnesses must have cosigned the directory's log; None: as many as the log's policy says.
        log_age: how old their cosignatures may be. Seconds.
    """

    posture: Posture = Posture.STANDARD
    read_receipts: bool = True
    delivery_receipts: bool = True
    share_profile: bool = True
    display_name: str = ""
    keep_history: bool = True
    time_to_live: int = MAX_TTL
    directory_age: float = MAX_AGE
    timeout: float = 10.0
    farewell: float = 5.0
    witnesses: int | None = None
    log_age: float = 3_600.0
    hygiene: Hygiene = field(default_factory=Hygiene)
    backoff: Backoff = field(default_factory=Backoff)

    def log_habits(self, policy: str | None) -> Habits:
        """What a device with these habits wants of the log, whose policy somebody has said, or nobody."""
        return Habits(policy, self.witnesses, self.log_age)
