"""What binds an envelope to its recipient and its id is left out: the relay can hand it out elsewhere, or again.

Modelled on EFAIL's and Matrix's missing bindings: ciphertexts that are right by themselves and wrong where they are put
(Poddebniak et al., 2018; Albrecht et al.: Practically-exploitable Cryptographic Vulnerabilities in Matrix, 2022).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import envelope

    envelope._info = lambda recipient, message_id: envelope._LABEL


SABOTEUR = Saboteur(
    name="envelope-readdressed",
    title="envelopes are not bound to recipient and id",
    lock=Lock.KEYS,
    modelled_on="missing bindings: EFAIL, 2018; Albrecht et al. on Matrix, 2022",
    caught_by=frozenset({("wire", "readdressed"), ("wire", "unbound")}),
    in_clients=_in_clients,
)
