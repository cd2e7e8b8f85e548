"""Packages are released as soon as they are granted: two persons would only cost time.

Modelled on interfaces through which data left without anybody at the provider (PRISM slides, 2013; T-Mobile's and others'
location interfaces, 2018).
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
    modelled_on="self-service interfaces for authorities",
    caught_by=frozenset({("reconciliation", "unapproved")}),
    in_relay=_in_relay,
)
