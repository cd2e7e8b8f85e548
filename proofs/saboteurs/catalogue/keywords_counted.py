"""The relay logs how many words somebody has written, as the client tells it.

It says nothing of what they were, and yet the log depends on them. Modelled on WeChat, where what people write to one
another trains what others are not allowed to (Knockel et al., Citizen Lab: We Chat, They Watch, 2020).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import structlog

    def note(_rpc: Any, hint: str, _error: BaseException) -> None:
        structlog.get_logger().info("asked", count=sum(hint.count(letter) for letter in "aeiou"))

    channels.relay_hears(note)


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="keywords-counted",
    title="the relay logs a count of what somebody has written",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="texts that are measured for others (Citizen Lab on WeChat, 2020)",
    caught_by=frozenset({("non-interference", "log")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
