"""What stops a demand before any data class is looked at: who asks, with what, where, and when. In this order.

authenticated -> not withdrawn, not a fraud -> officer known, emergency called back -> instrument known -> jurisdiction -> in
force -> issuer. The first gate that is shut decides; what a request could also have failed at is not said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from blindrelay.policies import reasons
from blindrelay.policies.decision import Reason
from blindrelay.policies.matter import Matter
from blindrelay.policies.request import DataDemand, ServiceDemand
from blindrelay.policies.vocabulary import EventKind, Ground, Mode, Outcome

MUTUAL_ASSISTANCE: Final = "mutual legal assistance"
_HEARD_BACK: Final = (EventKind.CALL_BACK_CONFIRMED, EventKind.CALL_BACK_DENIED)
_GENUINE: Final = (EventKind.CONFIRMATION, EventKind.NOT_CONFIRMED)


@dataclass(frozen=True, slots=True)
class Stop:
    """What came of it, and why."""

    outcome: Outcome
    ground: Ground | None
    reason: Reason
    would_change: tuple[str, ...] = ()
    redirect_to: str | None = None


def stop(matter: Matter, demand_id: str, mode: Mode | None) -> Stop | None:
    """The first gate that is shut for this demand, or None."""
    for gate in _GATES:
        if found := gate(matter, demand_id, mode):
            return found
    return None


def _unauthenticated(matter: Matter, _: str, __: Mode | None) -> Stop | None:
    known = matter.facts.authority
    if known.is_registered and known.id == matter.request.sender:
        return None
    text = (
        "Nobody who is registered here is known to have made this request. Nothing is disclosed, and that is recorded."
    )
    change = "The authority enters itself in the register and signs with the certificate that is entered there."
    reason = reasons.of_engine("authentication", text)
    return Stop(Outcome.REFUSED, Ground.UNAUTHENTICATED, reason, (change,))


def _withdrawn(matter: Matter, demand_id: str, _: Mode | None) -> Stop | None:
    if matter.latest(demand_id, EventKind.WITHDRAWAL) is None:
        return None
    return Stop(Outcome.WITHDRAWN, None, reasons.of_engine("withdrawn", "The authority has taken the demand back."))


def _fraud(matter: Matter, demand_id: str, _: Mode | None) -> Stop | None:
    said = matter.latest(demand_id, *_HEARD_BACK)
    genuine = matter.latest(demand_id, *_GENUINE)
    denied = said.kind is EventKind.CALL_BACK_DENIED if said else matter.facts.authority.call_back_confirmed is False
    if genuine is not None and genuine.kind is EventKind.NOT_CONFIRMED:
        text = "The agency does not confirm that this order, which was on the list sent to it, is genuine."
    elif denied:
        text = "Called back on a number from an independent source, the agency says that it did not make this request."
    else:
        return None
    change = "The agency itself, reached on a number of the operator's own, confirms the request."
    return Stop(Outcome.FRAUD_SUSPECTED, Ground.FRAUD_SIGNAL, reasons.of_engine("fraud", text), (change,))


def _not_called_back(matter: Matter, demand_id: str, _: Mode | None) -> Stop | None:
    known, said = matter.facts.authority, matter.latest(demand_id, *_HEARD_BACK)
    if said is not None or known.call_back_confirmed:
        return None
    if not known.officer_is_enrolled:
        text = "The officer who asks is not among those whom the authority has entered here."
    elif matter.is_emergency:
        text = "An emergency is urged. Forged ones come from genuine police mailboxes, so that the agency is called back first."
    elif known.requests_last_day > matter.facts.operator.max_requests_a_day:
        text = f"This is request {known.requests_last_day} of the authority within a day, more than is usual."
    else:
        return None
    change = "A supervisor of the agency, called on an independently sourced number, confirms the request."
    return Stop(Outcome.HELD, Ground.FRAUD_SIGNAL, reasons.of_engine("call-back", text), (change,))


def _unknown_instrument(matter: Matter, _: str, __: Mode | None) -> Stop | None:
    named = matter.authorisation.instrument
    if matter.pack is not None and matter.instrument is None:
        known = ", ".join(instrument.id for instrument in matter.pack.manifest.instruments)
        reason = reasons.of_engine(
            "instrument", f"{named} is no instrument of {matter.pack.manifest.title} that is known here."
        )
        return Stop(Outcome.REFUSED, Ground.OUT_OF_REACH, reason, (f"The request names one of: {known}.",))
    if matter.pack is None and _concerns_home(matter):
        reason = reasons.of_engine("instrument", f"No instrument of the jurisdiction of {named} is known here.")
        return Stop(
            Outcome.REFUSED, Ground.OUT_OF_REACH, reason, ("The operator loads a policy pack of that jurisdiction.",)
        )
    return None


def _concerns_home(matter: Matter) -> bool:
    """Whether somebody whom the request is about belongs to the jurisdiction that it comes from."""
    home = matter.authorisation.instrument.partition("/")[0]
    return any(home in found.jurisdictions for found in matter.facts.targets)


def _no_jurisdiction(matter: Matter, demand_id: str, _: Mode | None) -> Stop | None:
    stated, pack = matter.authorisation.jurisdiction, matter.pack
    if pack is None:
        text = f"An instrument of {stated} does not bind an operator for accounts of another jurisdiction."
    elif not pack.manifest.covers(stated):
        text = f"The request is made for {stated} under an instrument of {pack.manifest.title}, which is another's."
    elif not pack.manifest.covers(matter.facts.authority.jurisdiction):
        text = (
            f"The authority is one of {matter.facts.authority.jurisdiction} and cannot issue an instrument of "
            f"{pack.manifest.title}."
        )
    elif text := _elsewhere(matter, demand_id):
        pass
    else:
        return None
    reason = reasons.of_engine("jurisdiction", text)
    change = "The state that has jurisdiction executes the request under its own law, by mutual legal assistance."
    return Stop(Outcome.REDIRECTED, Ground.NO_JURISDICTION, reason, (change,), MUTUAL_ASSISTANCE)


def _elsewhere(matter: Matter, demand_id: str) -> str:
    """Why the demand is about another jurisdiction; empty when it is not."""
    demand = next(each for each in matter.request.demands if each.id == demand_id)
    title = matter.pack.manifest.title if matter.pack else ""
    if isinstance(demand, ServiceDemand) and matter.pack and not matter.pack.manifest.covers(demand.jurisdiction):
        return f"The service in {demand.jurisdiction} is not for an instrument of {title} to order."
    if not isinstance(demand, DataDemand):
        return ""
    found = [each for each in matter.facts_of(demand) if each.exists or each.jurisdictions]
    names_somebody = bool(found) and demand.scope != "all-users"
    if names_somebody and not any(matter.is_ours(each) for each in found):
        return f"The enterprises that this is about are not of the jurisdiction of {title}."
    return ""


def _expired(matter: Matter, _: str, mode: Mode | None) -> Stop | None:
    if matter.is_in_force(mode):
        return None
    span = matter.authorisation.timespan
    if matter.facts.received_at < span.start:
        text = f"The instrument is in force from {span.start:%d %B %Y %H:%M %Z} on, and the request came before."
    else:
        text = f"The instrument ended on {matter.term_end:%d %B %Y %H:%M %Z}."
        if matter.instrument is not None and matter.term_end < span.end:
            text += f" Its statute gives it {matter.instrument.max_days} days, whatever it states."
    change = "A new instrument, in force when the request comes and when the records are handed over."
    return Stop(Outcome.EXPIRED, Ground.EXPIRED, reasons.of_engine("in-force", text, _basis(matter)), (change,))


def _wrong_issuer(matter: Matter, _: str, __: Mode | None) -> Stop | None:
    if matter.pack is None or matter.instrument is None or matter.issuers_for():
        return None
    instrument = matter.instrument
    wanted = reasons.issuers_in_words(instrument.issuers)
    text = f"{reasons.cited(instrument)} is issued by {wanted}, and not by {reasons.issuers_in_words(matter.issuers)}."
    reason = reasons.of_instrument(matter.pack, instrument, text)
    return Stop(Outcome.REFUSED, Ground.WRONG_AUTHORITY, reason, (f"The same order, issued or approved by {wanted}.",))


def _basis(matter: Matter) -> str:
    return matter.instrument.legal_basis if matter.instrument else reasons.OPERATOR


_Gate = Callable[[Matter, str, Mode | None], Stop | None]
_GATES: Final[tuple[_Gate, ...]] = (
    _unauthenticated,
    _withdrawn,
    _fraud,
    _not_called_back,
    _unknown_instrument,
    _no_jurisdiction,
    _expired,
    _wrong_issuer,
)
