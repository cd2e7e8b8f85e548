"""What else has to be before a permitted class leaves: no other country's bar, the enterprise asked, nobody's objection."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from blindrelay.policies import reasons
from blindrelay.policies.classes import Permitted
from blindrelay.policies.decision import ClassDecision, Reason
from blindrelay.policies.hurdles import refused
from blindrelay.policies.matter import Matter
from blindrelay.policies.request import DataDemand
from blindrelay.policies.statuses import status_of
from blindrelay.policies.vocabulary import EventKind, Ground, Mark, Mode, Outcome, Scope

#: In an emergency the notified authority may object to the use of the data for so long (Reg. 2023/1543 art. 10(4)).
OBJECTION_TO_USE: Final = timedelta(hours=96)
_NOTIFICATION: Final = "Regulation (EU) 2023/1543, art. 8 and 10(2)"
CONTROLLER: Final = "Regulation (EU) 2023/1543, art. 5(6)"


@dataclass(frozen=True, slots=True)
class Wait:
    """What the notification of another authority means for the classes that it covers.

    Attributes:
        until: nothing leaves before this moment.
        refusal: it has objected, or nobody has notified it.
        use_restriction: what the data may not be used for.
    """

    until: datetime | None = None
    refusal: tuple[Outcome, Ground, Reason, str] | None = None
    use_restriction: str | None = None


def settle(matter: Matter, demand: DataDemand, found: Permitted, wait: Wait) -> ClassDecision:
    """Turn a class that the policies permit into its decision."""
    return (
        _conflict(matter, found)
        or _whole_tenant(demand, found)
        or _controller_first(matter, demand, found)
        or _waiting(matter, found, wait)
        or _given(matter, demand, found)
    )


def redirected_to(
    demand: DataDemand, classes: tuple[ClassDecision, ...], permitted: tuple[Permitted, ...]
) -> str | None:
    """The enterprises that are to be asked instead."""
    away = {decision.data_class for decision in classes if decision.outcome is Outcome.REDIRECTED}
    tenants = {held.tenant for each in permitted if each.data_class in away for held in each.held if held.tenant}
    return ", ".join(sorted(tenants)) or None


def wait_for(matter: Matter, demand: DataDemand) -> Wait:
    """Whether another state's authority may still object."""
    instrument = matter.instrument
    notified = instrument and any(instrument.is_notified(each, matter.authorisation.purpose) for each in demand.classes)
    if instrument is None or instrument.notification_days is None or not notified or demand.mode is Mode.PRESERVE:
        return Wait()
    received = matter.facts.received_at
    window_ends = received + timedelta(days=instrument.notification_days)
    said = matter.latest(demand.id, EventKind.OBJECTION, EventKind.CLEARANCE)
    objection = matter.latest(demand.id, EventKind.OBJECTION)
    if matter.is_emergency:
        return Wait(use_restriction=_restriction(received, objection.at if objection else None))
    if said is not None and said.kind is EventKind.CLEARANCE:
        return Wait()
    if objection is not None and objection.at < window_ends:
        text = f"The notified authority objected on {objection.at:%d %B %Y}."
        reason = reasons.of_engine("notification", text, _NOTIFICATION, Mark.CONFIRMED)
        return Wait(
            refusal=(Outcome.REFUSED, Ground.OBJECTED, reason, "The notified authority takes its objection back.")
        )
    if not matter.authorisation.enforcing_authority_notified:
        text = "The request does not say that the enforcing authority has been notified, which it has to be for this class."
        reason = reasons.of_engine("notification", text, _NOTIFICATION, Mark.SECONDARY)
        change = "The enforcing authority is notified, or says that it does not object."
        return Wait(refusal=(Outcome.HELD, Ground.AWAITING_NOTIFICATION, reason, change))
    late = f"The notified authority objected on {objection.at:%d %B %Y}, after its window." if objection else None
    return Wait(until=window_ends, use_restriction=late)


def _restriction(received: datetime, objected: datetime | None) -> str:
    ends = received + OBJECTION_TO_USE
    if objected is not None and objected < ends:
        return f"The notified authority objected on {objected:%d %B %Y %H:%M %Z}, within 96 hours: the data may not be used."
    return f"The notified authority may object to the use of the data within 96 hours, until {ends:%d %B %Y %H:%M %Z}."


def _conflict(matter: Matter, found: Permitted) -> ClassDecision | None:
    if not matter.facts.blocking_statutes:
        return None
    countries = reasons.listed(sorted(matter.facts.blocking_statutes))
    text = (
        f"A statute of {countries} forbids what this order wants. Neither law is put above the other here; the operator "
        "objects, with its reasons, and asks counsel."
    )
    change = f"A permission under the law of {countries}, or a request executed by its authorities."
    why = (reasons.of_engine("conflict", text), *found.reasons)
    return refused(found.data_class, Ground.CONFLICT, why, (change,))


def _whole_tenant(demand: DataDemand, found: Permitted) -> ClassDecision | None:
    if demand.scope is not Scope.TENANT:
        return None
    text = "A whole enterprise is named and nobody in it. The enterprise knows its people; it is asked, or accounts are named."
    return _redirected(found, reasons.of_engine("scope", text), "The demand names the accounts that it is about.")


def _controller_first(matter: Matter, demand: DataDemand, found: Permitted) -> ClassDecision | None:
    asks = matter.pack is not None and matter.pack.manifest.processor_redirect and demand.mode is not Mode.PRESERVE
    if not asks or matter.authorisation.harm_to_investigation is not None:
        return None
    text = "The relay works for the enterprise, which is the controller of these data and is asked first."
    change = "The request states why asking the enterprise would harm the investigation."
    return _redirected(found, reasons.of_engine("controller", text, CONTROLLER, Mark.UNCONFIRMED), change)


def _redirected(found: Permitted, why: Reason, change: str) -> ClassDecision:
    return refused(found.data_class, Ground.CONTROLLER_FIRST, (why, *found.reasons), (change,), Outcome.REDIRECTED)


def _waiting(matter: Matter, found: Permitted, wait: Wait) -> ClassDecision | None:
    covered = matter.instrument is not None and matter.instrument.is_notified(
        found.data_class, matter.authorisation.purpose
    )
    if wait.refusal is None or not covered:
        return None
    outcome, ground, why, change = wait.refusal
    return refused(found.data_class, ground, (why, *found.reasons), (change,), outcome)


def _given(matter: Matter, demand: DataDemand, found: Permitted) -> ClassDecision:
    why = (*found.reasons, *_retention(matter, found))
    given = Outcome.NARROWED if found.is_cut else Outcome.GRANTED
    outcome = Outcome.PRESERVED if demand.mode is Mode.PRESERVE else given
    status = status_of(outcome, None, matter.facts.operator.approvals)
    return ClassDecision(found.data_class, outcome, None, status, found.targets, found.window, why)


def _retention(matter: Matter, found: Permitted) -> tuple[Reason, ...]:
    since = matter.facts.retained_since.get(found.data_class)
    if since is None or found.window.start >= since:
        return ()
    text = f"Records from before {since:%d %B %Y} have been deleted, as they always are, unless an order has them preserved."
    return (reasons.of_engine("retention", text),)
