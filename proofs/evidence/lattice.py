"""Every use of every instrument that is loaded, put before the engine that is running.

It is called in the relay's own process (`child`), so that what is walked is what would decide, and not a copy of it. It knows
policies, and nothing of clients.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from blindrelay.policies.cedar import FORBIDDEN, Evaluator, Policy
from blindrelay.policies.decision import Decision, DemandDecision, Facts
from blindrelay.policies.hypothesis import Circumstances, every_use, pose
from blindrelay.policies.matters import looked_at
from blindrelay.policies.packs import Pack, Policies
from blindrelay.policies.request import DataDemand, LawfulRequest
from blindrelay.policies.vocabulary import METADATA, AuthorityKind, Capability, Outcome, Scope

Decide = Callable[[LawfulRequest, Facts], Decision]
#: Of each reason so many are shown.
_SHOWN: Final = 5


@dataclass(slots=True)
class Walk:
    """What came of it. `partial`: how often a set was evaluated without saying who asks, or with what; `found`: reason -> what,
    some of each."""

    decisions: int = 0
    classes: int = 0
    given: int = 0
    partial: int = 0
    found: dict[str, list[str]] = field(default_factory=dict)

    def find(self, reason: str, text: str) -> None:
        """Something that no policy may give."""
        if len(self.found.setdefault(reason, [])) < _SHOWN:
            self.found[reason].append(text)

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "decisions": self.decisions,
            "classes": self.classes,
            "given": self.given,
            "partial": self.partial,
            "found": self.found,
        }


def walk(policies: Policies, decide: Decide, *, quick: bool) -> Walk:
    """Ask for everything, under every instrument, in every way that the policies of its pack could tell apart.

    Args:
        decide: the engine.
        quick: by the first issuer of each instrument alone, and not by everybody else besides.
    """
    found = Walk()
    for jurisdiction, pack in sorted(policies.packs.items()):
        # Beside a policy that permits everything: what is denied then is denied by a forbid, and not by default.
        beside = Evaluator((*policies.invariants, *pack.policies, _permits_everything(policies)))
        for entity in FORBIDDEN:
            found.partial += 1
            if not beside.is_forbidden_for_everyone(entity):
                found.find(
                    "not-forbidden", f"{jurisdiction}: {entity} is not forbidden to everybody, whatever is missing"
                )
        for circumstances in _uses(pack, quick=quick):
            request, facts = pose(pack, circumstances)
            decision = decide(request, facts)
            found.decisions += 1
            for demand, verdict in zip(request.demands, decision.demands, strict=True):
                _judge(demand, verdict, circumstances, found)
                _rests_on_a_permit(pack, verdict, circumstances, found)
    return found


def _permits_everything(policies: Policies) -> Policy:
    like = policies.invariants[0]
    text = replace(like.text, text="permit (principal, action, resource);")
    return replace(like, id="harness/everything", effect="permit", text=text)


def _uses(pack: Pack, *, quick: bool) -> Iterator[Circumstances]:
    for instrument in pack.manifest.instruments:
        seen = looked_at([pack], instrument.id)
        for number, use in enumerate(every_use(pack, instrument, seen)):
            if quick and number % 4 and use.scope is not Scope.ALL_USERS:
                continue
            yield use
            if not quick or not number:
                yield replace(use, tenant_jurisdictions=frozenset({"zz"}))
            if not quick:
                yield from (replace(use, asker=kind) for kind in AuthorityKind if kind is not use.issuer)


def _judge(demand: Any, verdict: DemandDecision, circumstances: Circumstances, found: Walk) -> None:
    where = f"{circumstances.instrument}, {circumstances.described()}, demand {verdict.demand_id}"
    for each in verdict.classes:
        found.classes += 1
        gives = each.outcome.discloses or each.outcome is Outcome.PRESERVED
        found.given += gives
        if gives and each.data_class not in METADATA:
            found.find("content-granted", f"{where}: {each.data_class} is {each.outcome}")
        if gives and circumstances.scope is Scope.ALL_USERS:
            found.find("bulk-granted", f"{where}: {each.data_class} about everybody is {each.outcome}")
        if gives and "zz" in circumstances.tenant_jurisdictions and len(circumstances.tenant_jurisdictions) == 1:
            found.find("abroad", f"{where}: {each.data_class} of another jurisdiction's people is {each.outcome}")
        if (
            gives
            and isinstance(demand, DataDemand)
            and (each.window is None or not _is_within(each.window, demand.window))
        ):
            found.find(
                "widened", f"{where}: {each.data_class} is given for {each.window}, and {demand.window} was asked for"
            )
        if gives and isinstance(demand, DataDemand) and not set(each.targets) <= set(demand.targets):
            found.find("widened", f"{where}: {each.data_class} is given for others than were asked for")
    if (
        demand.kind == "capability"
        and verdict.outcome.discloses
        and demand.capability is not Capability.METADATA_EXPORT
    ):
        found.find("capability-granted", f"{where}: {demand.capability} is {verdict.outcome}")
    if not verdict.reasons and not any(each.reasons for each in verdict.classes):
        found.find("no-reason", f"{where}: {verdict.outcome} without a reason")


def _rests_on_a_permit(pack: Pack, verdict: DemandDecision, circumstances: Circumstances, found: Walk) -> None:
    """Whatever is given names a policy of the pack that permits it: nothing is given because nobody has forbidden it."""
    permits = {policy.id for policy in pack.policies if policy.effect == "permit"}
    for each in verdict.classes:
        gives = each.outcome.discloses or each.outcome is Outcome.PRESERVED
        if gives and not any(reason.policy_id in permits for reason in each.reasons):
            found.find(
                "default-allow",
                f"{circumstances.instrument}: {each.data_class} is {each.outcome}, and no policy permits it",
            )


def _is_within(window: Any, asked: Any) -> bool:
    return bool(asked.start <= window.start and window.end <= asked.end)


def nothing_permits(policies: Policies, decide: Decide) -> Iterator[str]:
    """What is given under an instrument that no pack has: default deny gives nothing."""
    for jurisdiction, pack in sorted(policies.packs.items()):
        use = next(_uses(pack, quick=True))
        request, facts = pose(pack, use)
        unknown = request.authorisation.model_copy(update={"instrument": f"{jurisdiction}/no-such-instrument"})
        decision = decide(request.model_copy(update={"authorisation": unknown}), facts)
        for verdict in decision.demands:
            for each in verdict.classes:
                if each.outcome.discloses or each.outcome is Outcome.PRESERVED:
                    yield f"{jurisdiction}: {each.data_class} is {each.outcome} under an instrument that there is not"
