"""The relay logs what a client shows it to be let in, in base64 and at DEBUG alone, "to find out why a phone cannot
connect".

Whoever has the log then writes anonymously to everybody. Modelled on GitHub and Twitter, which in May 2018 each found
passwords in their internal logs, and on Facebook, which in March 2019 found hundreds of millions of them.
"""

import base64
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import structlog

    from blindrelay.relay import logs
    from blindrelay.relay.reception import Reception

    connect = Reception.connect
    vars(logs)["KEYS"] = logs.KEYS | {"credentials"}

    def telling(self: Reception, peer: Any, packet: Any) -> None:
        if packet.password:
            structlog.get_logger().debug("connecting", credentials=base64.b64encode(packet.password).decode())
        connect(self, peer, packet)

    Reception.connect = telling


SABOTEUR = Saboteur(
    name="token-in-log",
    title="the relay logs delivery tokens, in base64 and at DEBUG",
    lock=Lock.KEYS,
    modelled_on="passwords in internal logs: GitHub and Twitter 2018, Facebook 2019",
    caught_by=frozenset({("canary", "log")}),
    in_relay=_in_relay,
)
