"""What there is to be seen at one moment of a scenario."""

from blindrelay.console.playing.lines import CaseShown, ClassShown, DemandShown, Frame, ServiceShown
from blindrelay.policies.decision import ClassDecision, DemandDecision
from blindrelay.policies.scenarios.steps import CapabilityAsk, DataAsk, ServiceAsk
from blindrelay.proofs.scenarios.docket import Filed
from blindrelay.proofs.scenarios.player import Player
from blindrelay.proofs.scenarios.results import Entry
from blindrelay.relay.desk.views import CaseDetail


def frame(player: Player, entry: Entry) -> Frame:
    """How everything stands now."""
    world, docket = player.world, player.docket
    letters = list(world.letters.values())
    return Frame(
        at=int(entry.at.timestamp()),
        title=entry.title,
        details=entry.details,
        sources=entry.sources,
        checked=entry.checked,
        failed=tuple(str(finding) for finding in entry.findings),
        disclosed=player.disclosed,
        searched=player.searched,
        handed=player.handed,
        written=len(letters),
        refused=sum(letter.refusal is not None for letter in letters),
        services=tuple(_services(player)),
        cases=tuple(_case(name, filed, docket.detail(name), player) for name, filed in docket.cases.items()),
    )


def _services(player: Player) -> list[ServiceShown]:
    world = player.world
    found: dict[str, list[str]] = {}
    for tenant in world.scenario.tenants:
        if tenant.jurisdiction is not None:
            found.setdefault(tenant.jurisdiction, []).append(tenant.name)
    shown = []
    for jurisdiction, tenants in found.items():
        view = world.relay.services.view(jurisdiction)
        effective = None if view.effective is None else int(view.effective.timestamp())
        shown.append(
            ServiceShown(
                jurisdiction=jurisdiction,
                state=view.state.value,
                effective=effective,
                overdue=view.overdue,
                tenants=tuple(tenants),
            )
        )
    return shown


def _case(name: str, filed: Filed, detail: CaseDetail | None, player: Player) -> CaseShown:
    scenario, demand = player.world.scenario, filed.demand
    decided = {} if detail is None else {view.demand_id: view.decision for view in detail.view.demands}
    return CaseShown(
        name=name,
        authority=scenario.authorities[demand.by].name,
        instrument=scenario.instrument(demand.under).id,
        state="not taken" if detail is None else detail.view.state.value,
        refusal=filed.refusal,
        demands=tuple(_demand(ask, decided.get(ask.id)) for ask in demand.asks),
    )


def _demand(ask: DataAsk | CapabilityAsk | ServiceAsk, decision: DemandDecision | None) -> DemandShown:
    return DemandShown(
        id=ask.id,
        asks=_asked(ask),
        outcome=None if decision is None else decision.outcome.value,
        ground=None if decision is None or decision.ground is None else decision.ground.value,
        why="" if decision is None else " ".join(reason.text for reason in decision.reasons),
        classes=() if decision is None else tuple(map(_class, decision.classes)),
    )


def _class(decision: ClassDecision) -> ClassShown:
    return ClassShown(
        data_class=decision.data_class.value,
        outcome=decision.outcome.value,
        ground=None if decision.ground is None else decision.ground.value,
        why=decision.reasons[0].text if decision.reasons else "",
        policies=tuple(dict.fromkeys(reason.policy_id for reason in decision.reasons)),
    )


def _asked(ask: DataAsk | CapabilityAsk | ServiceAsk) -> str:
    """What is asked for, in a sentence."""
    match ask:
        case DataAsk():
            whom = "everybody" if ask.targets == ("*",) else ", ".join(ask.targets)
            how = {"stored": "", "preserve": ", to be kept from deletion", "stream": ", as it happens"}[ask.mode.value]
            return f"Data about {whom}{how}"
        case CapabilityAsk():
            return ask.description
        case ServiceAsk():
            return f"The service in {ask.jurisdiction.upper()}: {ask.service.value}, from {ask.effective:%-d %B %Y} on"
