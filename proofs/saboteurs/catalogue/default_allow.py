"""What no policy speaks of is allowed.

Modelled on default-allow in access control, number five of OWASP's ten and then number one (A01:2021).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import dataclasses

    from blindrelay.policies.cedar import Evaluator

    verdict = Evaluator._verdict

    def lenient(self: Evaluator, answer: Any) -> Any:
        found = verdict(self, answer)
        return found if found.determining or found.failed else dataclasses.replace(found, allowed=True)

    Evaluator._verdict = lenient


SABOTEUR = Saboteur(
    name="default-allow",
    title="what no policy forbids is allowed",
    lock=Lock.POLICY,
    modelled_on="broken access control by default (OWASP A01:2021)",
    caught_by=frozenset({("policy", "default-allow")}),
    in_relay=_in_relay,
)
