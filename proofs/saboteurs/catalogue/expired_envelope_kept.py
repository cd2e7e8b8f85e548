"""What nobody fetched in time stays at the relay, past the end that its sender gave it.

Modelled on messages that were said to disappear for ever, and were found in storage afterwards (In re Snapchat, Inc.,
FTC docket C-4501, 2014).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.patching import replace


def _in_relay() -> None:
    from blindrelay.relay import exchange, mailbox

    replace(mailbox.expired_envelopes, lambda connection, now, limit: [])
    assert exchange


SABOTEUR = Saboteur(
    name="expired-envelope-kept",
    title="the relay keeps envelopes that have expired before anybody fetched them",
    lock=Lock.FORM,
    modelled_on="messages that were said to disappear, and were found (In re Snapchat, FTC C-4501, 2014)",
    caught_by=frozenset({("retention", "kept")}),
    in_relay=_in_relay,
)
