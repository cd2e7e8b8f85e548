"""What keeps a metadata class from being asked about at all: reach, delivery, thresholds, choice, issuer, what it continues.

Each hurdle is a function of an inquiry and a class, and gives the refusal or None. The first that refuses decides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from blindrelay.policies import counterfactual, narrowing, reasons, unheld
from blindrelay.policies.decision import ClassDecision, Reason
from blindrelay.policies.gates import Stop
from blindrelay.policies.matter import Matter
from blindrelay.policies.packs import Instrument, Pack
from blindrelay.policies.request import DataDemand, DeliveryType
from blindrelay.policies.statuses import status_of
from blindrelay.policies.vocabulary import DataClass, Ground, Mark, Mode, Outcome

ACTIONS: Final = {Mode.STORED: "disclose", Mode.PRESERVE: "preserve", Mode.STREAM: "stream"}


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A demand with what holds for all of its classes: the gate that is shut, and what is left of window and targets."""

    matter: Matter
    demand: DataDemand
    stop: Stop | None
    window: narrowing.Window
    targets: narrowing.Targets

    @property
    def action(self) -> str:
        """What Cedar calls the demand's mode."""
        return ACTIONS[self.demand.mode]

    @property
    def row(self) -> tuple[Pack, Instrument]:
        """The instrument's row. A gate has stopped what names none."""
        if self.matter.pack is None or self.matter.instrument is None:
            raise LookupError(self.matter.authorisation.instrument)
        return self.matter.pack, self.matter.instrument


def hurdle(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    """The first hurdle that a metadata class does not take."""
    if stop := inquiry.stop:
        status = status_of(stop.outcome, stop.ground)
        change = stop.would_change
        return ClassDecision(data_class, stop.outcome, stop.ground, status, (), None, (stop.reason,), None, change)
    return next((refusal for each in _HURDLES if (refusal := each(inquiry, data_class))), None)


def refused(
    data_class: DataClass,
    ground: Ground,
    why: tuple[Reason, ...],
    change: tuple[str, ...] = (),
    outcome: Outcome = Outcome.REFUSED,
) -> ClassDecision:
    """A class of which nothing is disclosed."""
    status = status_of(outcome, ground)
    return ClassDecision(data_class, outcome, ground, status, (), None, why, would_change=change)


def with_notes(instrument: Instrument, text: str) -> str:
    """A sentence about the law, with what the manifest says beside it."""
    return f"{text} {instrument.notes}" if instrument.notes else text


def threshold(matter: Matter) -> Reason | None:
    """Why the instrument does not bind a service of this size, if it does not."""
    pack, instrument = matter.pack, matter.instrument
    if pack is None or instrument is None or instrument.min_users is None:
        return None
    users = matter.facts.operator.service_users.get(pack.manifest.jurisdiction, 0)
    if users >= instrument.min_users:
        return None
    text = (
        f"{reasons.cited(instrument)} binds significant services, of {instrument.min_users:,} users in the jurisdiction and "
        f"more; this one has {users:,} there."
    )
    return reasons.of_instrument(pack, instrument, text)


def wants_content(inquiry: Inquiry) -> Reason | None:
    """Why a real-time order cannot be carried out as it is, if it wants content."""
    demand = inquiry.demand
    if demand.delivery_type in {None, DeliveryType.IRI_ONLY}:
        return None
    text = (
        f"The order wants delivery {demand.delivery_type}, which is with content. What cannot be carried out as it is ordered "
        "is refused, and not quietly turned into something less."
    )
    source = f"ETSI TS 103 120 (TaskDeliveryType); {reasons.OPERATOR}"
    return reasons.of_engine("delivery", text, source, Mark.CONFIRMED)


def _reach(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    pack, instrument = inquiry.row
    if data_class not in instrument.reach:
        text = f"{unheld.reach_in_words(instrument, data_class)}"
    elif inquiry.demand.mode not in instrument.modes:
        modes = reasons.listed([str(mode) for mode in instrument.modes]) or "none"
        text = f"{reasons.cited(instrument)} does not carry mode {inquiry.demand.mode}; it has {modes}."
    else:
        return None
    why = (reasons.of_instrument(pack, instrument, with_notes(instrument, text)),)
    change = counterfactual.other_instruments(pack, instrument, inquiry.action, data_class)
    return refused(data_class, Ground.OUT_OF_REACH, why, change)


def _delivery(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    if (why := wants_content(inquiry)) is None:
        return None
    matter = inquiry.matter
    ground = Ground.NOT_HELD if unheld.is_reached(matter, DataClass.CONTENT) else Ground.OUT_OF_REACH
    law = unheld.law_about(matter, DataClass.CONTENT, inquiry.demand.scope)
    change = ("The order names delivery IRIOnly: records without content.",)
    return ClassDecision(
        data_class, Outcome.REFUSED, ground, status_of(Outcome.REFUSED, ground), (), None, (why,), law, change
    )


def _threshold(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    if (why := threshold(inquiry.matter)) is None:
        return None
    change = ("The service has as many users as the rule asks for.",)
    return refused(data_class, Ground.OUT_OF_REACH, (why,), change)


def _voluntary(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    matter = inquiry.matter
    if not matter.is_voluntary or (matter.is_emergency and matter.authorisation.emergency_grounds):
        return None
    text = (
        "Nothing compels the operator here. It discloses of its own accord only where life or limb is in danger, and only "
        "where it is stated why."
    )
    change = "An instrument that compels; or an emergency, with its grounds, that the agency confirms when it is called back."
    return refused(data_class, Ground.OUT_OF_REACH, (reasons.of_engine("voluntary", text),), (change,))


def _issuer(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    pack, instrument = inquiry.row
    if inquiry.matter.issuers_for(data_class):
        return None
    wanted = reasons.issuers_in_words(instrument.issuers_of(data_class))
    text = (
        f"Under {reasons.cited(instrument)} {reasons.in_words([data_class])} are ordered by {wanted}, not by "
        f"{reasons.issuers_in_words(inquiry.matter.issuers)}."
    )
    why = (reasons.of_instrument(pack, instrument, text),)
    return refused(data_class, Ground.WRONG_AUTHORITY, why, (f"The same order, issued or approved by {wanted}.",))


def _continued(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    demand, facts = inquiry.demand, inquiry.matter.facts
    if demand.mode is not Mode.PRESERVE or demand.continues is None:
        return None
    _, instrument = inquiry.row
    earlier = next((each for each in facts.preservations if each.reference == demand.continues), None)
    allowed = instrument.preserve.extensions if instrument.preserve else 0
    outcome, ground, change = Outcome.REFUSED, Ground.OUT_OF_REACH, "An order to produce what is preserved."
    if earlier is None:
        text = f"{demand.continues} is no preservation of this authority's."
    elif facts.received_at >= earlier.until:
        text = (
            f"{demand.continues} ended on {earlier.until:%d %B %Y %H:%M %Z}; what it kept has been left to retention."
        )
        outcome, ground, change = Outcome.EXPIRED, Ground.EXPIRED, "A renewal before that day."
    elif earlier.extensions >= allowed:
        times = "once" if allowed == 1 else f"{allowed} times"
        text = f"It can be extended {times}, and {demand.continues} has been. Another extension is not assumed."
    elif data_class not in earlier.classes or not set(demand.targets) <= set(earlier.targets):
        text = f"{demand.continues} is about other classes or targets. What it does not keep takes a demand of its own."
    else:
        return None
    why = reasons.of_engine("preservation", text, instrument.legal_basis, instrument.mark)
    return refused(data_class, ground, (why,), (change,), outcome)


def _window(inquiry: Inquiry, data_class: DataClass) -> ClassDecision | None:
    if inquiry.window.span is not None:
        return None
    change = ("A window that the instrument carries.",)
    return refused(data_class, Ground.OUT_OF_REACH, inquiry.window.cuts, change)


_Hurdle = Callable[[Inquiry, DataClass], ClassDecision | None]
_HURDLES: Final[tuple[_Hurdle, ...]] = (_reach, _delivery, _threshold, _voluntary, _issuer, _continued, _window)
