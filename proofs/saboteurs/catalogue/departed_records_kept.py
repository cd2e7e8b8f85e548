"""The records of a tenant outlive it: who wrote whom and when stays for whom it may interest.

Modelled on Deutsche Wohnen, which kept what it held of tenants long after they had moved out, in an archive that could delete
nothing (Berlin data protection authority, 2019; CJEU, C-807/21, 2023).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay import leaving

    async def nothing(*_: Any) -> int:
        return 0

    leaving.erase = nothing


SABOTEUR = Saboteur(
    name="departed-records-kept",
    title="an enterprise leaves, and the records of who wrote whom stay",
    lock=Lock.FORM,
    modelled_on="an archive that could delete nothing (Deutsche Wohnen, CJEU, C-807/21)",
    caught_by=frozenset({("retention", "left-behind")}),
    in_relay=_in_relay,
)
