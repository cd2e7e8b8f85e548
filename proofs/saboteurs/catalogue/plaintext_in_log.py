"""The relay logs, at DEBUG, what it was asked, whole, in base64.

Modelled on debug logging that was left on: GitHub and Twitter in 2018, Facebook in 2019, and every proxy that logs bodies.
"""

import base64
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import structlog

    from blindrelay.relay import logs

    vars(logs)["KEYS"] = logs.KEYS | {"payload"}

    def note(_rpc: Any, hint: str, _error: BaseException) -> None:
        structlog.get_logger().debug("asked", payload=base64.b64encode(f'{{"hint": "{hint}"}}'.encode()).decode())

    channels.relay_hears(note)


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="plaintext-in-log",
    title="the relay logs what it was asked, whole and in base64, at DEBUG",
    lock=Lock.KEYS,
    modelled_on="debug logging that was left on (GitHub and Twitter 2018, Facebook 2019)",
    caught_by=frozenset({("canary", "log")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
