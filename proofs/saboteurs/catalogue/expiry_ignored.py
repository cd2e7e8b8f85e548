"""Clients take what is past its time: the relay decides how long a letter that should have gone lives.

Modelled on messages that did not disappear (Federal Trade Commission, In the Matter of Snapchat, 2014).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import parts

    parse = parts.parse

    def for_ever(encoded: bytes) -> Any:
        part = parse(encoded)
        return dataclasses.replace(part, expires_at=part.expires_at + 86_400)

    parts.parse = for_ever


SABOTEUR = Saboteur(
    name="expiry-ignored",
    title="clients take letters that have expired",
    lock=Lock.KEYS,
    modelled_on="messages that did not disappear (FTC, Snapchat, 2014)",
    caught_by=frozenset({("wire", "expired")}),
    in_clients=_in_clients,
)
