"""The purge job has run once, and is never started again.

Modelled on Google Street View, whose operators had promised to delete what cars had recorded from wireless networks,
and had it still two years later (Information Commissioner's Office, July 2012).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.retention import Purge, Purged

    run = Purge.run

    async def once(self: Purge) -> Purged:
        return await run(self) if self.ran_at is None else Purged()

    Purge.run = once


SABOTEUR = Saboteur(
    name="purge-job-stopped",
    title="the purge job runs once, and never again",
    lock=Lock.FORM,
    modelled_on="data that were promised to be gone (Street View, ICO, 2012)",
    caught_by=frozenset({("retention", "not-run")}),
    in_relay=_in_relay,
)
