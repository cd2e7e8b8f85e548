"""Clients say beside each envelope something that is so anyway, or do not: a bit a letter.

Modelled on covert channels in MQTT 5 (Mileva, Velinov, Hartmann, Wendzel, Mazurczyk, 2021), which found twelve places
for them.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.link import PublishProperties

    pack = PublishProperties.pack

    def carrying(self: PublishProperties) -> bytes:
        if self._expires_at is not None and not self._rest.endswith(_BYTES):
            self._rest += _BYTES
        return pack(self)

    PublishProperties.pack = carrying


#: The property "payload format indicator" with its default: unspecified bytes.
_BYTES = b"\x01\x00"


SABOTEUR = Saboteur(
    name="bits-in-what-means-nothing",
    title="clients state defaults beside an envelope, or leave them out: a bit a letter",
    lock=Lock.KEYS,
    modelled_on="covert channels in MQTT 5 (Mileva et al., 2021)",
    caught_by=frozenset({("wire", "not-mqtt")}),
    in_clients=_in_clients,
)
