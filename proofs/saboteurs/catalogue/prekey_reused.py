"""The relay hands out the same one-time prekey again and again: first messages lose their forward secrecy.

Modelled on the exhaustion of one-time prekeys that the analyses of X3DH name (Cohn-Gordon et al., 2017), done by the
server itself.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay import directory

    claim, claimed = directory._claim, {}

    def again(connection: Any, account_id: int) -> Any:
        if account_id not in claimed:
            claimed[account_id] = claim(connection, account_id)
        return claimed[account_id]

    directory._claim = again


SABOTEUR = Saboteur(
    name="prekey-reused",
    title="the relay hands out one-time prekeys more than once",
    lock=Lock.KEYS,
    modelled_on="exhausted one-time prekeys (Cohn-Gordon et al., 2017)",
    caught_by=frozenset({("wire", "prekey-reused")}),
    in_relay=_in_relay,
)
