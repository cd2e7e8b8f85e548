"""The invariants forbid on a condition. Cedar skips a policy whose condition meets what is missing: no forbid is left.

Modelled on what Cedar's documentation says of errors in policies, and on deny rules that fail open in other engines.
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _with_condition(policy: Any) -> Any:
    if "resource is Content" not in policy.text.text:
        return policy
    text = policy.text.text.rstrip().removesuffix(";") + " when { context.offence_max_years > 4 };"
    return dataclasses.replace(policy, text=dataclasses.replace(policy.text, text=text))


def _in_relay() -> None:
    from blindrelay.policies.cedar import Evaluator

    begin = Evaluator.__init__

    def conditional(self: Evaluator, policies: Any) -> None:
        begin(self, [_with_condition(policy) for policy in policies])

    Evaluator.__init__ = conditional


SABOTEUR = Saboteur(
    name="conditional-forbid",
    title="an invariant forbids on a condition, and vanishes where that cannot be evaluated",
    lock=Lock.POLICY,
    modelled_on="Cedar's skip-on-error: a deny rule that fails open",
    caught_by=frozenset({("policy", "not-forbidden")}),
    in_relay=_in_relay,
)
