"""The policies, as the desk uses them: one question, one answer, and the answer as a letter."""

from datetime import datetime
from typing import Protocol

from blindrelay.policies import engine, letter
from blindrelay.policies.decision import Decision, DemandDecision, Facts, Reason
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.vocabulary import Ground, Mark, Outcome, TaskStatus


class Rules(Protocol):
    """What decides. Pure: the same request and facts get the same decision."""

    @property
    def digest(self) -> str:
        """SHA-256 over all that it decides by, in hex."""

    def decide(self, request: LawfulRequest, facts: Facts) -> Decision:
        """Decide each demand on its own."""

    def letter(self, request: LawfulRequest, decision: Decision, facts: Facts | None) -> str:
        """The decision in sentences that could be sent."""


class PolicyRules:
    """The policies of the packs that are loaded."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    @property
    def digest(self) -> str:
        """SHA-256 over schema, manifests and policy files, in hex."""
        return self._policies.digest

    def decide(self, request: LawfulRequest, facts: Facts) -> Decision:
        """See `blindrelay.policies.engine.decide`."""
        return engine.decide(request, facts, self._policies)

    def letter(self, request: LawfulRequest, decision: Decision, facts: Facts | None) -> str:
        """See `blindrelay.policies.letter.write`."""
        return letter.write(decision, request, self._policies, facts)


_UNDECIDABLE = Reason(
    "desk/undecidable",
    "The request could not be decided, and what cannot be decided is refused. It may be made again.",
    "operator policy",
    Mark.CONFIRMED,
)


def refuse_everything(request: LawfulRequest, at: datetime, policies_digest: str) -> Decision:
    """What holds when a decision could not be made."""
    return Decision(
        request_id=str(request.id),
        decided_at=at,
        policies_digest=policies_digest,
        demands=tuple(
            DemandDecision(
                demand_id=demand.id,
                outcome=Outcome.REFUSED,
                ground=Ground.UNDECIDABLE,
                status=TaskStatus.INVALID,
                classes=(),
                reasons=(_UNDECIDABLE,),
            )
            for demand in request.demands
        ),
    )
