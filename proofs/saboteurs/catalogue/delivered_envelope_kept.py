"""What was delivered stays in the mailbox, "in case the phone is lost".

Modelled on mail that its owners had deleted and Yahoo could still hand over (the case of Russell Knaggs, from 2009
on; N.D. Cal., discovery of 2016), and on every server that keeps messages after delivery.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.exchange import Exchange

    Exchange.remove = lambda self, mailbox_id, sequence: None


SABOTEUR = Saboteur(
    name="delivered-envelope-kept",
    title="the relay keeps envelopes after their recipient has acknowledged them",
    lock=Lock.FORM,
    modelled_on="mail that was deleted and handed over (Yahoo, the Knaggs case, 2009 to 2016)",
    caught_by=frozenset({("retention", "kept")}),
    in_relay=_in_relay,
)
