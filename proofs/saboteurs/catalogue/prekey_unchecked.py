"""Clients take whatever one-time key the relay hands out for a device, signed or not.

Modelled on servers that hand out prekeys of their own; Signal's are signed because of it (Marlinspike and Perrin: X3DH,
2016, on signatures).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.contacts import Contacts
    from blindrelay.protocol.statements import Prekey

    Contacts.check_prekey = lambda _self, _device, signed: Prekey.model_validate_json(signed.body).key


SABOTEUR = Saboteur(
    name="prekey-unchecked",
    title="clients begin sessions with one-time keys that the relay has made",
    lock=Lock.KEYS,
    modelled_on="servers that hand out keys of their own (X3DH, 2016)",
    caught_by=frozenset({("attacks", "prekey-substituted")}),
    in_clients=_in_clients,
)
