"""Nobody is told, though the law allows it.

Modelled on the notices that never went out because it was nobody's job (EFF: Who Has Your Back, 2011 to 2019).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.notices import NoticeBoard

    async def silent(self: NoticeBoard, order: Any) -> int:
        return 0

    NoticeBoard.give = silent


SABOTEUR = Saboteur(
    name="users-not-told",
    title="users are not told of disclosures when the law allows it",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="notices that never go out (EFF: Who Has Your Back)",
    caught_by=frozenset({("reconciliation", "untold")}),
    in_relay=_in_relay,
)
