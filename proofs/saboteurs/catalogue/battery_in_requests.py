"""Clients say with every request how full their battery is.

Modelled on the Battery Status API, by which browsers could be told apart and which they took out again (Olejnik,
Acar, Castelluccia, Diaz: The Leaking Battery, 2015).
"""

import contextlib
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.connection import Connection
    from blindrelay.clients.errors import ClientError
    from blindrelay.protocol.rpc import COUNT_PREKEYS, Method, PrekeyCount
    from blindrelay.protocol.statements import Wire

    class Battery(Wire):
        battery: int

    method = Method(COUNT_PREKEYS.name, Battery, PrekeyCount)
    call = Connection.call

    async def telling(self: Connection, *asked: Any, **options: Any) -> Any:
        with contextlib.suppress(ClientError):
            await call(self, method, Battery(battery=57), **options)
        return await call(self, *asked, **options)

    Connection.call = telling


SABOTEUR = Saboteur(
    name="battery-in-requests",
    title="clients tell the relay how full their battery is",
    lock=Lock.KEYS,
    modelled_on="The Leaking Battery (Olejnik et al., 2015)",
    caught_by=frozenset({("wire", "request")}),
    in_clients=_in_clients,
)
