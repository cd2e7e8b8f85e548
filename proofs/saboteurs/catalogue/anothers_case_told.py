"""The desk tells an authority of any case whose number it has.

Modelled on the most common flaw of web interfaces: whoever knows a number gets what is behind it (OWASP API1:2023,
Broken Object Level Authorization; First American Financial, 885 million records, 2019).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.cases import Cases

    def anybodys(self: Cases, _authority_id: str, case_id: str) -> Any:
        from blindrelay.relay.desk.case import Case
        from blindrelay.relay.desk.errors import CaseNotFound

        rows = self._journal.rows(case_id)
        if not rows:
            raise CaseNotFound
        return Case.restore(rows)

    Cases.case_of = anybodys


SABOTEUR = Saboteur(
    name="anothers-case-told",
    title="authorities are told of one another's cases",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="broken object level authorisation (OWASP API1:2023; First American, 2019)",
    caught_by=frozenset({("reconciliation", "anothers-case")}),
    in_relay=_in_relay,
)
