"""What if: a request and facts that nobody has made, put before the real engine.

`explain`, `matrix` and `diff` ask the engine itself and add no rule of their own: what they print is what a case would get.
Everything that they do not vary is at its most favourable to the authority: it is registered, its officer known, the agency
has been called back, another state's authority notified, the targets exist, the instrument is in force.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Final, Literal
from uuid import UUID

from blindrelay.policies.decision import AuthorityFacts, Decision, Facts, OperatorPolicy, TargetFacts
from blindrelay.policies.engine import decide
from blindrelay.policies.matters import LookedAt
from blindrelay.policies.packs import Instrument, Pack, Policies
from blindrelay.policies.request import (
    Approval,
    Authorisation,
    CapabilityDemand,
    DataDemand,
    DeliveryType,
    Demand,
    LawfulRequest,
    ServiceDemand,
    Target,
    TargetFormat,
    Timespan,
)
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    Capability,
    DataClass,
    Mode,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)

#: How a data demand can be made. `build` is what capability demands are.
DataMode = Literal[Mode.STORED, Mode.PRESERVE, Mode.STREAM]
DATA_MODES: Final[tuple[DataMode, ...]] = (Mode.STORED, Mode.PRESERVE, Mode.STREAM)
DEFAULT_TENANT: Final = "globex.example"
_NOBODY: Final = UUID(int=0)
_AUTHORITY, _OFFICER = "hypothetical-authority", "Hypothetical Officer"
#: Of an instrument whose statute states no longest term, or a longer one.
_TERM: Final = timedelta(days=30)
_PAST: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which circumstances an instrument is used.

    Attributes:
        instrument: `us/d-order`.
        issuer: who issued it.
        asker: what kind of authority makes the request; None: the issuer.
        tenant, tenant_jurisdictions: whom the demand is about.
        authority_jurisdiction: as the relay has registered it.
        emergency_grounds: whether it is said why life or limb is in danger.
        mutual_assistance: whether the requested state's own order is named.
        harm_stated: whether it is said why the enterprise cannot be asked first.
        overlong: the instrument states a longer term than its statute allows.
        users: of the service in the instrument's jurisdiction, for thresholds.
    """

    instrument: str
    issuer: AuthorityKind
    tenant: str
    tenant_jurisdictions: frozenset[str]
    authority_jurisdiction: str
    asker: AuthorityKind | None = None
    scope: Scope = Scope.ACCOUNTS
    urgency: Urgency = Urgency.ROUTINE
    purpose: Purpose = Purpose.INVESTIGATE
    offence_max_years: int | None = None
    emergency_grounds: bool = False
    mutual_assistance: bool = False
    harm_stated: bool = False
    overlong: bool = False
    users: int = 0

    def described(self) -> str:
        """In words, without what is as it usually is: `by a judge; offence of 5 years`."""
        said = [f"by {self.issuer}"]
        if self.asker not in {None, self.issuer}:
            said.append(f"asked for by {self.asker}")
        if self.scope is not Scope.ACCOUNTS:
            said.append(f"scope {self.scope}")
        if self.urgency is Urgency.EMERGENCY:
            said.append("emergency" if self.emergency_grounds else "emergency without grounds")
        if self.purpose is Purpose.IDENTIFY:
            said.append("to identify")
        if self.offence_max_years is not None:
            said.append(f"offence of {self.offence_max_years} years")
        if self.mutual_assistance:
            said.append("with the requested state's order")
        if self.overlong:
            said.append("longer than its statute allows")
        if self.tenant != DEFAULT_TENANT:
            said.append(f"about {self.tenant}")
        return "; ".join(said)


def favourable(pack: Pack, instrument: Instrument, issuer: AuthorityKind) -> Circumstances:
    """The plainest use of an instrument by somebody who gives every reason that there is to give."""
    home = pack.manifest.jurisdiction
    return Circumstances(
        instrument=instrument.id,
        issuer=issuer,
        tenant=DEFAULT_TENANT,
        tenant_jurisdictions=frozenset({home}),
        authority_jurisdiction=home,
        mutual_assistance=instrument.id.endswith("/mutual-assistance"),
        harm_stated=True,
        users=instrument.min_users or 0,
    )


def ask(policies: Policies, circumstances: Circumstances, *, capabilities: bool = True) -> Decision:
    """Let the engine decide what `pose` makes of these circumstances. KeyError: the instrument's jurisdiction has no pack."""
    pack = policies.packs[circumstances.instrument.partition("/")[0]]
    return decide(*pose(pack, circumstances, capabilities=capabilities), policies)


def pose(pack: Pack, circumstances: Circumstances, *, capabilities: bool = True) -> tuple[LawfulRequest, Facts]:
    """A request with every demand that could be made under these circumstances, and the facts that go with it.

    One demand for each mode, with every class; one for each action on the service; and unless `capabilities` is False, one for
    each capability (these depend on instrument and issuer alone, so that asking once is enough).

    Args:
        pack: of the instrument's jurisdiction, for how long the instrument may run, and the day on which all this happens.
    """
    moment = datetime.combine(pack.manifest.as_of, time(12), UTC)
    term = _term(pack, circumstances, moment)
    demands: tuple[Demand, ...] = (
        *(_data(circumstances, mode, term, moment) for mode in DATA_MODES),
        *(_service(action, pack.manifest.jurisdiction, moment) for action in ServiceAction),
        *(_capability(capability, circumstances.scope) for capability in Capability if capabilities),
    )
    return _request(circumstances, demands, term, moment), _facts(circumstances, moment)


def every_use(pack: Pack, instrument: Instrument, seen: LookedAt) -> Iterator[Circumstances]:
    """Every issuer's use of an instrument: in all ways that policies could tell apart, and once about everybody."""
    for issuer in instrument.issuers:
        plain = favourable(pack, instrument, issuer)
        yield from variations(plain, seen)
        yield replace(plain, scope=Scope.ALL_USERS)


def variations(plain: Circumstances, seen: LookedAt) -> Iterator[Circumstances]:
    """`plain`, once for each combination of what policies look at. Emergencies are always among them: the engine looks."""
    alternatives: dict[str, tuple[object, ...]] = {
        "purpose": tuple(Purpose) if "context.purpose" in seen.attributes else (plain.purpose,),
        "offence_max_years": seen.years,
        "mutual_assistance": (True, False)
        if "context.is_mutual_assistance" in seen.attributes
        else (plain.mutual_assistance,),
        "overlong": (False, True) if "context.within_duration" in seen.attributes else (False,),
        "tenant": (plain.tenant, *seen.tenants),
        "tenant_jurisdictions": (
            plain.tenant_jurisdictions,
            *(
                plain.tenant_jurisdictions | {each}
                for each in seen.jurisdictions
                if each not in plain.tenant_jurisdictions
            ),
        ),
        "asker": tuple(AuthorityKind) if "principal.kind" in seen.attributes else (plain.asker,),
        "scope": (Scope.ACCOUNTS, Scope.TENANT) if "context.scope" in seen.attributes else (plain.scope,),
    }
    urgencies = [(Urgency.ROUTINE, False), (Urgency.EMERGENCY, True)]
    if "context.has_emergency_grounds" in seen.attributes:
        urgencies.append((Urgency.EMERGENCY, False))
    for values in product(*alternatives.values()):
        for urgency, grounds in urgencies:
            changes = dict(zip(alternatives, values, strict=True))
            yield replace(plain, urgency=urgency, emergency_grounds=grounds, **changes)  # type: ignore[arg-type]


def _term(pack: Pack, circumstances: Circumstances, moment: datetime) -> Timespan:
    instrument = pack.manifest.instrument(circumstances.instrument)
    longest = timedelta(days=instrument.max_days) if instrument and instrument.max_days else _TERM
    start = moment - timedelta(hours=1)
    return Timespan(start=start, end=start + (longest + _TERM if circumstances.overlong else min(longest, _TERM)))


def _data(circumstances: Circumstances, mode: DataMode, term: Timespan, moment: datetime) -> DataDemand:
    window = Timespan(start=moment, end=term.end) if mode is Mode.STREAM else Timespan(start=moment - _PAST, end=moment)
    return DataDemand(
        id=str(mode),
        classes=frozenset(DataClass),
        mode=mode,
        scope=circumstances.scope,
        targets=(_target(circumstances),),
        window=window,
        delivery_type=DeliveryType.IRI_ONLY if mode is Mode.STREAM else None,
    )


def _capability(capability: Capability, scope: Scope) -> CapabilityDemand:
    return CapabilityDemand(id=f"build-{capability}", capability=capability, scope=scope, description="hypothetical")


def _service(action: ServiceAction, jurisdiction: str, moment: datetime) -> ServiceDemand:
    return ServiceDemand(
        id=f"service-{action}", action=action, jurisdiction=jurisdiction, effective=moment + timedelta(days=30)
    )


def _target(circumstances: Circumstances) -> Target:
    match circumstances.scope:
        case Scope.ACCOUNTS:
            return Target(format=TargetFormat.USER, value=f"somebody@{circumstances.tenant}")
        case Scope.TENANT:
            return Target(format=TargetFormat.TENANT, value=circumstances.tenant)
        case Scope.ALL_USERS:
            return Target(format=TargetFormat.ALL_USERS, value="*")


def _request(
    circumstances: Circumstances, demands: tuple[Demand, ...], term: Timespan, moment: datetime
) -> LawfulRequest:
    approval = Approval(
        role=circumstances.issuer,
        name="hypothetical issuer",
        reference="hypothetical",
        timestamp=term.start,
        is_emergency=circumstances.urgency is Urgency.EMERGENCY,
    )
    authorisation = Authorisation(
        reference="hypothetical",
        instrument=circumstances.instrument,
        jurisdiction=circumstances.authority_jurisdiction,
        timespan=term,
        approvals=[approval],
        urgency=circumstances.urgency,
        non_disclosure=None,
        purpose=circumstances.purpose,
        offence_max_years=circumstances.offence_max_years,
        enforcing_authority_notified=True,
        harm_to_investigation="stated" if circumstances.harm_stated else None,
        emergency_grounds="stated" if circumstances.emergency_grounds else None,
        mutual_assistance_reference="stated" if circumstances.mutual_assistance else None,
    )
    return LawfulRequest(
        id=_NOBODY,
        sender=_AUTHORITY,
        officer=_OFFICER,
        receiver="hypothetical-relay",
        timestamp=moment,
        authorisation=authorisation,
        demands=demands,
    )


def _facts(circumstances: Circumstances, moment: datetime) -> Facts:
    authority = AuthorityFacts(
        id=_AUTHORITY,
        name="hypothetical authority",
        jurisdiction=circumstances.authority_jurisdiction,
        kind=circumstances.asker or circumstances.issuer,
        is_registered=True,
        officer_is_enrolled=True,
        call_back_confirmed=True,
    )
    target = TargetFacts(
        target=_target(circumstances),
        exists=True,
        tenant=None if circumstances.scope is Scope.ALL_USERS else circumstances.tenant,
        jurisdictions=frozenset() if circumstances.scope is Scope.ALL_USERS else circumstances.tenant_jurisdictions,
        tenant_size=100,
    )
    home = circumstances.instrument.partition("/")[0]
    operator = OperatorPolicy(service_users={home: circumstances.users} if circumstances.users else {})
    return Facts(now=moment, received_at=moment, authority=authority, targets=(target,), operator=operator)
