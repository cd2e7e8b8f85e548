"""What the log tells of a release has no accounts in it, and neither has the report: both agree, and both are wrong.

Only somebody who knows the case can see it: the authority, a court, an auditor at the relay's desk, or this check.

Modelled on Wirecard (2020), whose books and whose confirmations agreed, for both came from the same hand.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies.leaves import Accounts, ReleaseTold
    from blindrelay.relay.desk import disclosures, report

    told_of = disclosures.told_of

    def lying(*arguments: Any) -> Any:
        told = told_of(*arguments)
        nobody = {"accounts": Accounts(at_least=0, at_most=0)}
        return told.model_copy(update=nobody) if isinstance(told, ReleaseTold) else told

    disclosures.told_of = lying
    report.disclosed = lambda _case: frozenset()


SABOTEUR = Saboteur(
    name="log-tells-a-lie",
    title="the log and the report say, both alike, that releases concerned nobody",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="two books that agree because one hand has written both (Wirecard, 2020)",
    caught_by=frozenset({("leaves", "told-wrong")}),
    in_relay=_in_relay,
)
