"""Keys are taken as they come, points of small order too: with them everybody knows the secret.

Modelled on the identity points that vodozemac accepted before 0.10, and on the non-contributory behaviour that RFC
7748, section 6.1, warns of.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import contacts

    contacts._check_keys = lambda address, statement: None


SABOTEUR = Saboteur(
    name="small-order-key",
    title="clients take identity keys of small order",
    lock=Lock.KEYS,
    modelled_on="identity points in vodozemac before 0.10; RFC 7748, 6.1",
    caught_by=frozenset({("wire", "small-order")}),
    in_clients=_in_clients,
)
