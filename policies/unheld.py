"""What can be asked for and is never given: content, keys, everybody's data, capabilities.

The policies that refuse are the invariants. Where the law may order it all the same, the answer says so: that it is not held,
or that refusing it is the operator's policy, is no statement about the law.
"""

from blindrelay.policies import cedar, reasons
from blindrelay.policies.decision import ClassDecision, Reason
from blindrelay.policies.gates import Stop
from blindrelay.policies.matter import Matter
from blindrelay.policies.packs import Instrument
from blindrelay.policies.statuses import status_of
from blindrelay.policies.vocabulary import DataClass, Ground, Outcome, Scope

_ENTITY = {DataClass.CONTENT: "Content", DataClass.KEYS: "Keys"}
_NOT_NAMED = Ground.UNAUTHENTICATED, Ground.FRAUD_SIGNAL


def questions(matter: Matter, data_class: DataClass, scope: Scope) -> tuple[cedar.Question, ...]:
    """What the invariants are asked about a class of a demand: what it is, and whom it is about."""
    kinds = [_ENTITY[data_class]] if data_class in _ENTITY else []
    kinds += ["Bulk"] if scope is Scope.ALL_USERS else []
    context = matter.context(matter.issuers[0], scope)
    return tuple(
        cedar.Question(matter.principal, "demand", cedar.forbidden(kind, str(data_class)), context) for kind in kinds
    )


def refuse_class(
    matter: Matter, data_class: DataClass, scope: Scope, found: Stop | None, why: tuple[Reason, ...]
) -> ClassDecision:
    """Refuse content, keys, or everybody's data.

    Args:
        found: the gate that is shut, if one is. It names the ground where the ground is not what is demanded itself.
        why: the invariants that refuse.
    """
    ground = _ground(matter, data_class, scope, found)
    change: tuple[str, ...] = ()
    if found is not None and ground is found.ground:
        why, change = (found.reason, *why), found.would_change
    elif matter.pack is not None and matter.instrument is not None:
        why = (
            *why,
            reasons.of_instrument(matter.pack, matter.instrument, reach_in_words(matter.instrument, data_class)),
        )
    if ground is Ground.BULK:
        change = ("The demand names the accounts that it is about.",)
    elif ground is Ground.NOT_HELD:
        change = ("Nothing that an instrument could say would change that.",)
    return ClassDecision(
        data_class=data_class,
        outcome=Outcome.REFUSED,
        ground=ground,
        status=status_of(Outcome.REFUSED, ground),
        targets=(),
        window=None,
        reasons=why,
        law=law_about(matter, data_class, scope) if ground not in _NOT_NAMED else None,
        would_change=change,
    )


def is_reached(matter: Matter, data_class: DataClass) -> bool:
    """Whether the law reaches a class with this instrument. Keys are reached where what they would open is."""
    reach = matter.instrument.reach if matter.instrument else ()
    return data_class in reach or (data_class is DataClass.KEYS and DataClass.CONTENT in reach)


def law_about(matter: Matter, data_class: DataClass, scope: Scope) -> str | None:
    """What the law says where the operator cannot or does not follow."""
    if matter.instrument is None:
        return None
    basis, said = reasons.cited(matter.instrument), []
    if data_class in _ENTITY and is_reached(matter, data_class):
        what = reasons.in_words([data_class]) if data_class in matter.instrument.reach else "content, if not keys"
        said.append(
            f"In law, {basis} reaches {what}. The relay has none: that is a fact, not an objection to the order."
        )
    if scope is Scope.ALL_USERS and Scope.ALL_USERS in matter.instrument.scopes:
        text = f"In law, {basis} may be about everybody. That it is not followed is the policy of the operator."
        said.append(f"{text} {matter.instrument.notes}" if matter.instrument.notes else text)
    return " ".join(said) or None


def _ground(matter: Matter, data_class: DataClass, scope: Scope, found: Stop | None) -> Ground:
    if found is not None and found.ground in _NOT_NAMED and found.outcome is not Outcome.HELD:
        return found.ground or Ground.UNDECIDABLE
    if data_class not in _ENTITY and scope is Scope.ALL_USERS:
        return Ground.BULK
    if found is not None and found.outcome is not Outcome.HELD and found.ground is not None:
        return found.ground
    return Ground.NOT_HELD if is_reached(matter, data_class) else Ground.OUT_OF_REACH


def reach_in_words(instrument: Instrument, data_class: DataClass) -> str:
    """What an instrument reaches, and that a class is not among it where it is not."""
    text = f"{reasons.cited(instrument)} reaches {reasons.in_words(instrument.reach)}"
    if data_class in instrument.reach or (data_class is DataClass.KEYS and DataClass.CONTENT in instrument.reach):
        return f"{text}."
    return f"{text}; it does not reach {reasons.in_words([data_class])}."
