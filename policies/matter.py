"""The matter that is to be decided: request, facts and policies, and what follows from them for every demand alike."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from blindrelay.policies import cedar
from blindrelay.policies.decision import CaseEvent, Facts, TargetFacts
from blindrelay.policies.packs import Instrument, Pack, Policies
from blindrelay.policies.request import Authorisation, DataDemand, LawfulRequest, Target
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, EventKind, Mode, Urgency


@dataclass(frozen=True)
class Matter:
    """What `decide` was given. `pack` and `instrument` are None where the request names one that is not known."""

    request: LawfulRequest
    facts: Facts
    policies: Policies
    pack: Pack | None
    instrument: Instrument | None

    @classmethod
    def of(cls, request: LawfulRequest, facts: Facts, policies: Policies) -> "Matter":
        """Look up what the request names."""
        instrument_id = request.authorisation.instrument
        pack = policies.pack_of(instrument_id)
        return cls(request, facts, policies, pack, pack.manifest.instrument(instrument_id) if pack else None)

    @property
    def authorisation(self) -> Authorisation:
        """The instrument, as the authority states it."""
        return self.request.authorisation

    @property
    def is_emergency(self) -> bool:
        """Whether the authority says that it is one."""
        return self.authorisation.urgency is Urgency.EMERGENCY

    @property
    def is_voluntary(self) -> bool:
        """Whether nothing compels the operator."""
        return self.instrument is not None and self.instrument.voluntary

    @cached_property
    def issuers(self) -> tuple[AuthorityKind, ...]:
        """Who stands behind the request: who approved it before it came, and, as it is registered, the authority itself."""
        stated = [
            approval.role for approval in self.authorisation.approvals if approval.timestamp <= self.facts.received_at
        ]
        return tuple(dict.fromkeys((*stated, self.facts.authority.kind)))

    def issuers_for(self, data_class: DataClass | None = None) -> tuple[AuthorityKind, ...]:
        """Those of them who may issue this instrument, for this class."""
        if self.instrument is None:
            return ()
        allowed = self.instrument.issuers if data_class is None else self.instrument.issuers_of(data_class)
        return tuple(kind for kind in self.issuers if kind in allowed)

    @cached_property
    def term_end(self) -> datetime:
        """When the instrument ends: on the day it states, or when its statute ends it."""
        span = self.authorisation.timespan
        if self.instrument is None or self.instrument.max_days is None:
            return span.end
        return min(span.end, span.start + timedelta(days=self.instrument.max_days))

    def is_in_force(self, mode: Mode | None) -> bool:
        """Whether the instrument had begun and not ended: when it came, and still, where something is to be handed over now."""
        start, end = self.authorisation.timespan.start, self.term_end
        if mode is Mode.STREAM:  # it may come before it begins, and ends by itself
            return self.facts.received_at < end
        # A preservation lasts as long as its statute says, once the order for it has come in time.
        return start <= self.facts.received_at < end and (mode is not Mode.STORED or self.facts.now < end)

    def latest(self, demand_id: str, *kinds: EventKind) -> CaseEvent | None:
        """The last event of these kinds that is about the demand, or about the whole case: as they were written down, for
        a clock may be set back between a confirmation and a denial."""
        found = [event for event in self.events(demand_id) if event.kind in kinds]
        return found[-1] if found else None

    def events(self, demand_id: str) -> tuple[CaseEvent, ...]:
        """Events until now that are about the demand, or about the whole case."""
        return tuple(
            event for event in self.facts.events if event.demand in {None, demand_id} and event.at <= self.facts.now
        )

    @cached_property
    def _targets(self) -> dict[Target, TargetFacts]:
        return {found.target: found for found in self.facts.targets}

    def target(self, target: Target) -> TargetFacts:
        """What is known about a target. One that nobody looked up is not there."""
        return self._targets.get(target) or TargetFacts(target, exists=False, tenant=None, jurisdictions=frozenset())

    @cached_property
    def evaluator(self) -> cedar.Evaluator:
        """The pack's policies with the invariants, or the invariants alone."""
        return self.pack.evaluator if self.pack else self.policies.everywhere

    @cached_property
    def principal(self) -> cedar.Entity:
        """The authority, as it is registered. A member's authority is the union's."""
        known = self.facts.authority
        jurisdiction = known.jurisdiction
        if self.pack is not None and self.pack.manifest.covers(jurisdiction):
            jurisdiction = self.pack.manifest.jurisdiction
        return cedar.authority(known.id, jurisdiction, known.kind)

    def context(
        self, issuer: AuthorityKind, scope: str, mode: Mode | None = None, *, prospective: bool = False
    ) -> cedar.Instrument:
        """What the policies may look at."""
        stated = self.authorisation
        span, longest = stated.timespan, self.instrument.max_days if self.instrument else None
        return cedar.Instrument(
            id=stated.instrument,
            jurisdiction=stated.jurisdiction,
            issuer=issuer,
            in_force=self.is_in_force(mode),
            within_duration=longest is None or span.end - span.start <= timedelta(days=longest),
            scope=scope,
            urgency=stated.urgency,
            purpose=stated.purpose,
            offence_max_years=stated.offence_max_years or 0,
            prospective=prospective,
            has_emergency_grounds=stated.emergency_grounds is not None,
            is_mutual_assistance=stated.mutual_assistance_reference is not None,
        )

    def jurisdictions(self, found: TargetFacts) -> frozenset[str]:
        """Of a target's tenant, with the union that its state is a member of."""
        if self.pack is not None and any(self.pack.manifest.covers(each) for each in found.jurisdictions):
            return found.jurisdictions | {self.pack.manifest.jurisdiction}
        return found.jurisdictions

    def is_ours(self, found: TargetFacts) -> bool:
        """Whether the instrument's jurisdiction has the target's tenant."""
        return self.pack is not None and self.pack.manifest.jurisdiction in self.jurisdictions(found)

    def as_ours(self, found: TargetFacts) -> TargetFacts:
        """A target that does not exist as one that the instrument's jurisdiction has."""
        if self.pack is None or self.is_ours(found):
            return found
        return replace(found, jurisdictions=frozenset({self.pack.manifest.jurisdiction}))

    def facts_of(self, demand: DataDemand) -> tuple[TargetFacts, ...]:
        """What is known about a demand's targets, each once, in the order in which they are named."""
        return tuple(self.target(target) for target in dict.fromkeys(demand.targets))
