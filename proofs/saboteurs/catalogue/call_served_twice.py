"""A signed call that somebody has copied is served once more.

Modelled on replayed authentications, from Needham and Schroeder's protocol on (Denning and Sacco: Timestamps in Key
Distribution Protocols, 1981).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.seen import SeenCalls

    async def always(self: SeenCalls, authority_id: str, call_id: str, now: float) -> bool:
        return True

    SeenCalls.use = always


SABOTEUR = Saboteur(
    name="call-served-twice",
    title="signed calls of authorities are served as often as they come",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="replayed messages (Denning and Sacco, 1981)",
    caught_by=frozenset({("reconciliation", "replayed-call")}),
    in_relay=_in_relay,
)
