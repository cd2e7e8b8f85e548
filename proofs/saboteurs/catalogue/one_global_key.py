"""All devices have the same sealing key.

Modelled on BlackBerry Messenger for consumers: one key for all phones, which the Royal Canadian Mounted Police had from
2010 on (Project Clemenza; Superior Court of Quebec, 2016).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.envelope import SealingKeyPair

    pair = SealingKeyPair.generate()
    SealingKeyPair.generate = staticmethod(lambda: pair)


SABOTEUR = Saboteur(
    name="one-global-key",
    title="all devices have one sealing key in common",
    lock=Lock.KEYS,
    modelled_on="BlackBerry Messenger's global key (Project Clemenza, 2010 to 2016)",
    caught_by=frozenset({("wire", "opens-for-others")}),
    in_clients=_in_clients,
)
