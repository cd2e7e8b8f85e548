"""What is written is compressed before it is encrypted: the length says how often words come again.

Modelled on CRIME and BREACH (2012, 2013), and on the compression that voice codecs do.
"""

import zlib
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.patching import replace


def _in_clients() -> None:
    from blindrelay.clients import content

    encode, decode = content.encode, content.decode

    def packed(letter: Any) -> bytes:
        return zlib.compress(encode(letter))

    def unpacked(data: bytes) -> Any:
        return decode(zlib.decompress(data))

    replace(encode, packed)
    replace(decode, unpacked)


SABOTEUR = Saboteur(
    name="compression",
    title="clients compress before they encrypt",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="CRIME and BREACH (2012, 2013)",
    caught_by=frozenset({("non-interference", "wire"), ("non-interference", "database")}),
    in_clients=_in_clients,
)
