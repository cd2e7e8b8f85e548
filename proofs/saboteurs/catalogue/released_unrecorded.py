"""A package is handed over, and the case file does not say so.

Modelled on location data that police got from carriers through a portal, on an upload of anything at all (Securus and
LocationSmart, told by Senator Wyden in May 2018).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.cases import Cases
    from blindrelay.relay.desk.steps import Released

    write = Cases.write

    async def forgetful(self: Cases, case: Any, step: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(step, Released):
            await write(self, case, step, *args, **kwargs)

    Cases.write = forgetful


SABOTEUR = Saboteur(
    name="released-unrecorded",
    title="packages are handed over without a row in the case file",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="disclosures without a record (Securus, 2018)",
    caught_by=frozenset({("reconciliation", "not-recorded")}),
    in_relay=_in_relay,
)
