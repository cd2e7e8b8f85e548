"""Packages are released as soon as they are granted: two persons would only cost time.

Modelled on the portal with which US police located customers of Sprint eight million times in a year, without anybody
at Sprint (Soghoian, 2009).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.case import Case

    Case.is_approved = lambda self, verdict: True


SABOTEUR = Saboteur(
    name="released-unapproved",
    title="packages are released without the approvals that they take",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="self-service for authorities (Sprint, Soghoian, 2009)",
    caught_by=frozenset({("reconciliation", "unapproved")}),
    in_relay=_in_relay,
)
