"""An enterprise does not look at what the log says about it: a device that its CA was made to certify, properly logged, stays.

Modelled on what makes key transparency work at all: somebody has to look at their own entries (Melara et al.: CONIKS, 2015).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.auditor.watch import Own

    Own.objection = lambda *_: None


SABOTEUR = Saboteur(
    name="compelled-ca-unnoticed",
    title="enterprises do not object to devices in the log that they have not enrolled",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="key transparency that nobody monitors (Melara et al.: CONIKS, 2015)",
    caught_by=frozenset({("attacks", "ghost-device")}),
    in_clients=_in_clients,
)
