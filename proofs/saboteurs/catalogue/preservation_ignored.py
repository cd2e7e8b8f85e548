"""An order to keep records is granted, and nothing is kept.

Modelled on chats that were deleted automatically while a court had ordered that they be kept (In re Google Play Store
Antitrust Litigation, N.D. Cal., findings of March 2023).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import preservation

    preservation.accounts_of = lambda targets, reader: ()


SABOTEUR = Saboteur(
    name="preservation-ignored",
    title="an order to keep records is granted and not carried out",
    lock=Lock.FORM,
    modelled_on="chats deleted under a duty to keep them (Google Play litigation, 2023)",
    caught_by=frozenset({("retention", "not-kept")}),
    in_relay=_in_relay,
)
