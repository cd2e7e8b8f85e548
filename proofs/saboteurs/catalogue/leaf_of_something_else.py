"""What the public log commits to is not the step that the case file has.

Modelled on the certificate log Yeti 2022, in which an entry came to be that nobody had submitted (a bit had turned
over; July 2021).
"""

from itertools import count
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import journal

    commit, turned = journal._commit, count()

    def other(connection: Any, row: Any, opening: Any) -> None:
        if opening is not None and opening.step == "decision" and next(turned) % 5 == 0:
            opening = opening.model_copy(update={"row": opening.row[::-1]})
        commit(connection, row, opening)

    journal._commit = other


SABOTEUR = Saboteur(
    name="leaf-of-something-else",
    title="entries of the public log commit to something else than the case file has",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="an entry that nobody had submitted (Yeti 2022, July 2021)",
    caught_by=frozenset({("leaves", "other-leaf")}),
    in_relay=_in_relay,
)
