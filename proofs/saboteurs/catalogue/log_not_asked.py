"""Clients do not look whether a device is in the public log: whatever the enterprise's CA has signed is a device.

What every messenger without key transparency does. Modelled on the ghost proposal (Levy and Robinson, 2018): a CA that was
compelled is enough.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.heads import Heads

    Heads.check_included = lambda *_: None


SABOTEUR = Saboteur(
    name="log-not-asked",
    title="clients write to devices that are in no log",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="the ghost proposal (Levy and Robinson, 2018)",
    caught_by=frozenset({("attacks", "ghost-device")}),
    in_clients=_in_clients,
)
