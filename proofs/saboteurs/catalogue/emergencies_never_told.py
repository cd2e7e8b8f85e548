"""Emergency requests are never told of, and are not in the report either: nobody counts them.

Modelled on the disclosures to impostors who had claimed an emergency, which no report showed
until journalists did (2021 to 2022).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies.vocabulary import Urgency
    from blindrelay.relay.desk import report
    from blindrelay.relay.desk.case import Case
    from blindrelay.relay.desk.disclosures import Disclosures

    tell, make = Disclosures._tell, report.make

    def is_emergency(case: Case) -> bool:
        return case.request.authorisation.urgency is Urgency.EMERGENCY

    def telling(self: Disclosures, case_id: str) -> None:
        if not is_emergency(Case.restore(self._journal.rows(case_id))):
            tell(self, case_id)

    def without(cases: Any, *arguments: Any, **named: Any) -> Any:
        return make((case for case in cases if not is_emergency(case)), *arguments, **named)

    Disclosures._tell = telling
    report.make = without


SABOTEUR = Saboteur(
    name="emergencies-never-told",
    title="emergency requests are neither told of in the log nor counted in the report",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="disclosures to impostors with an emergency (2021 to 2022)",
    caught_by=frozenset({("leaves", "untold")}),
    in_relay=_in_relay,
)
