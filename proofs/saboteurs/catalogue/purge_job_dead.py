"""The purge job has died, and nobody has noticed.

Modelled on retention that is a promise and a cron job: Meta and Google have each been fined for data that should have gone
(CNIL, 2019 to 2022).
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
    modelled_on="retention that was promised and not carried out (CNIL decisions, 2019 to 2022)",
    caught_by=frozenset({("retention", "too-old")}),
    in_relay=_in_relay,
)
