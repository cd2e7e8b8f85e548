"""An emergency is believed: whoever signs in an agency's name is let in, for lives are at stake.

Modelled on forged emergency data requests, to which Apple and Meta gave data in 2021 (Bloomberg, March 2022).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import authentication

    authentication.compare_digest = lambda one, other: True


SABOTEUR = Saboteur(
    name="forged-emergency",
    title="calls are taken whose signer is not in the register",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="forged emergency data requests (Bloomberg, 2022)",
    caught_by=frozenset({("reconciliation", "forged-emergency")}),
    in_relay=_in_relay,
)
