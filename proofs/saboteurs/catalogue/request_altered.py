"""The relay writes down another request than the authority has signed: the offence is a graver one.

Modelled on the e-mail that a lawyer of the FBI altered for an application to the Foreign Intelligence Surveillance
Court (Office of the Inspector General, December 2019; United States v. Clinesmith, 2020).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.desk import Desk

    receive = Desk.receive

    async def altering(self: Desk, signed: Any) -> Any:
        stated = signed.request.authorisation
        graver = stated.model_copy(update={"offence_max_years": 99})
        request = signed.request.model_copy(update={"authorisation": graver})
        return await receive(self, dataclasses.replace(signed, request=request))

    Desk.receive = altering


SABOTEUR = Saboteur(
    name="request-altered",
    title="requests are written down with a graver offence than was signed",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="an altered application (United States v. Clinesmith, 2020)",
    caught_by=frozenset({("reconciliation", "unasked")}),
    in_relay=_in_relay,
)
