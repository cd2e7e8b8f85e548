"""A compliance archive reads along, and nobody who writes to it is shown that.

Modelled on the archives of TeleMessage and the like, which look like the messenger and keep everything (2025).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.contacts import Contact

    Contact.archives = property(lambda self: ())


SABOTEUR = Saboteur(
    name="archive-hidden",
    title="clients do not show that a recipient is a compliance archive",
    lock=Lock.KEYS,
    modelled_on="archiving clones of messengers (TeleMessage, 2025)",
    caught_by=frozenset({("wire", "archive-hidden")}),
    in_clients=_in_clients,
)
