"""The purge job has died, and nobody has noticed.

Modelled on retention that is a promise and a cron job: the CNIL fined SERGIC (SAN-2019-005) and Discord
(SAN-2022-020) for data that should have gone, among other things.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.retention import Purge, Purged

    async def nothing(self: Purge) -> Purged:
        return Purged()

    Purge.run = nothing


SABOTEUR = Saboteur(
    name="purge-job-dead",
    title="the purge job does nothing any more",
    lock=Lock.FORM,
    modelled_on="retention that was promised and not carried out (CNIL: SERGIC, 2019; Discord, 2022)",
    caught_by=frozenset({("retention", "too-old")}),
    in_relay=_in_relay,
)
