"""Whoever reads the public log does not remember what it was the last time.

Modelled on monitors without a memory: a log that was rewritten as a whole, and signed anew, is consistent with itself
(Laurie, Langley, Kasper: RFC 6962, 5.3, on what monitors keep).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.auditor.log import PublicLog

    async def nothing(*_: object) -> None:
        return None

    PublicLog._compare = nothing


SABOTEUR = Saboteur(
    name="log-never-compared",
    title="readers of the log do not compare it with what they saw before",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="monitors without a memory (RFC 6962, 5.3)",
    caught_by=frozenset({("attacks", "log-entry-removed"), ("attacks", "log-entry-edited")}),
    in_clients=_in_clients,
)
