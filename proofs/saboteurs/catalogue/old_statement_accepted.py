"""Clients do not remember what a device has said of itself last: an older statement, with keys that were replaced, is as good.

Modelled on the replay of metadata that was once right (Samuel, Mathewson, Cappos, Dingledine: Survivable Key Compromise in
Software Update Systems, 2010).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.contacts import Contacts

    verify = Contacts._verify
    Contacts._verify = lambda self, address, shown, root, _known: verify(self, address, shown, root, None)


SABOTEUR = Saboteur(
    name="old-statement-accepted",
    title="clients go back to keys that a device has replaced",
    lock=Lock.KEYS,
    modelled_on="replayed metadata (Samuel et al., 2010)",
    caught_by=frozenset({("attacks", "statement-replayed")}),
    in_clients=_in_clients,
)
