"""Clients take a new root of an enterprise whenever the relay names one, logged or not.

Modelled on DigiNotar (2011): whoever names the root names everybody below it. It is why browsers pinned keys (RFC
7469).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.contacts import Contacts
    from blindrelay.clients.heads import Heads
    from blindrelay.clients.keystore import Space

    pin = Contacts.pin_root

    def forgetting(self: Contacts, tenant: str, root: bytes) -> Any:
        self._store.delete(Space.ROOT, tenant)
        return pin(self, tenant, root)

    Contacts.pin_root = forgetting
    Heads.check_included = lambda *_: None


SABOTEUR = Saboteur(
    name="root-swapped",
    title="clients let the relay name another root for an enterprise",
    lock=Lock.KEYS,
    modelled_on="roots that anybody can replace (DigiNotar, 2011; RFC 7469)",
    caught_by=frozenset({("attacks", "tenant-root-swapped")}),
    in_clients=_in_clients,
)
