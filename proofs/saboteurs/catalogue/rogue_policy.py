"""A pack permits content, and the invariant that forbids it is not there any more.

Modelled on mandates for what is sealed: the Technical Capability Notice that had Apple withdraw end-to-end encrypted
backups from the United Kingdom (2025).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _turned(policy: Any) -> Any:
    if policy.id != "invariants/content":
        return policy
    text = policy.text.text.replace("forbid (", "permit (")
    return dataclasses.replace(policy, effect="permit", text=dataclasses.replace(policy.text, text=text))


def _in_relay() -> None:
    from blindrelay.policies import lint
    from blindrelay.policies.cedar import Evaluator

    begin = Evaluator.__init__

    def rogue(self: Evaluator, policies: Any) -> None:
        begin(self, [_turned(policy) for policy in policies])

    Evaluator.__init__ = rogue
    vars(lint)["FORBIDDEN"] = ()  # the loader would refuse to start with it


SABOTEUR = Saboteur(
    name="rogue-policy",
    title="a policy permits content, where an invariant forbade it",
    lock=Lock.POLICY,
    modelled_on="the Technical Capability Notice to Apple (United Kingdom, 2025)",
    caught_by=frozenset({("policy", "not-forbidden")}),
    in_relay=_in_relay,
)
