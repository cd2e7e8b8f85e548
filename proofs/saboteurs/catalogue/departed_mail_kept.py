"""A tenant that has left keeps its mail: the relay deletes everything of it but what waits.

Modelled on Ashley Madison, which took nineteen dollars for a "full delete" and kept what it had been paid to delete (Office of
the Privacy Commissioner of Canada and Australian Information Commissioner, joint report, August 2016).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay import leaving

    async def nothing(*_: Any) -> None:
        pass

    leaving.clear_mail = nothing


SABOTEUR = Saboteur(
    name="departed-mail-kept",
    title="an enterprise leaves, and the mail that waited for it stays",
    lock=Lock.FORM,
    modelled_on="a deletion that was paid for and not carried out (Ashley Madison, 2016)",
    caught_by=frozenset({("retention", "left-behind")}),
    in_relay=_in_relay,
)
