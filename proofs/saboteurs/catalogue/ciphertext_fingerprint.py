"""The seconds at which the relay says that an envelope came depend on the envelope's bytes: a fingerprint, kept as a
time.

It can read nothing, and yet what it keeps and gives depends on what was sent. Modelled on matching what people send
by fingerprints (Apple's CSAM detection, proposed in August 2021 and given up in December 2022), put where no field
for it is.
"""

import dataclasses
from typing import Any
from zlib import crc32

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay import intake

    accepted = intake.Accepted

    def fingerprinted(*values: Any) -> Any:
        entry = accepted(*values)
        return dataclasses.replace(entry, accepted_at=entry.accepted_at - crc32(entry.payload) % 60)

    intake.Accepted = fingerprinted


SABOTEUR = Saboteur(
    name="ciphertext-fingerprint",
    title="the relay keeps a fingerprint of each envelope in the seconds of its time",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="matching by fingerprints (Apple, CSAM detection, 2021)",
    caught_by=frozenset({("non-interference", "database"), ("non-interference", "package")}),
    in_relay=_in_relay,
)
