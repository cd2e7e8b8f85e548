"""What was delivered stays in the mailbox, "in case the phone is lost".

Modelled on the servers that keep messages after delivery, and on what their operators were then ordered to hand over.
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
    modelled_on="servers that keep messages after delivery",
    caught_by=frozenset({("retention", "kept")}),
    in_relay=_in_relay,
)
