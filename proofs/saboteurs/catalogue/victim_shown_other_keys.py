"""Clients look neither at who has signed a device's keys nor whether the log has them: one victim can be shown others.

Modelled on the key servers that every messenger without transparency has (Melara et al.: CONIKS, 2015), and on the
interception of messages to one person that Apple's key server would allow (Quarkslab: iMessage Privacy, 2013).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.heads import Heads
    from blindrelay.protocol.statements import Signed

    Signed.open_as = lambda self, _purpose, kind, _key: kind.model_validate_json(self.body)
    Heads.check_included = lambda *_: None


SABOTEUR = Saboteur(
    name="victim-shown-other-keys",
    title="clients take keys of a device that the relay has made for one victim",
    lock=Lock.KEYS,
    modelled_on="one victim of a key server (Quarkslab: iMessage Privacy, 2013)",
    caught_by=frozenset({("attacks", "key-substituted-for-one")}),
    in_clients=_in_clients,
)
