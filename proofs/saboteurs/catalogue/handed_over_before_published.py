"""Packages are handed over at once, and the log is published when somebody asks for it.

Whoever has the relay can then still decide, after the fact, whether the world will ever know. Modelled on certificates that
were used before they were logged: a promise to log ("signed certificate timestamp", RFC 6962, 3) is not an entry.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.disclosures import Disclosures

    wait, receipt = Disclosures.wait_for_package, Disclosures.receipt

    async def at_once(_self: Any, _case_id: str, _demand_id: str) -> None:
        return None

    async def late(self: Disclosures, case_id: str, demand_id: str) -> Any:
        await wait(self, case_id, demand_id)
        return await receipt(self, case_id, demand_id)

    Disclosures.wait_for_package, Disclosures.receipt = at_once, late
    Disclosures._wake = lambda _self: None


SABOTEUR = Saboteur(
    name="handed-over-before-published",
    title="packages are handed over before the public log shows them",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="promises to log that are no entries (RFC 6962, section 3)",
    caught_by=frozenset({("leaves", "unpublished")}),
    in_relay=_in_relay,
)
