"""From what somebody fills in to a request that an authority signs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import uuid4

from pydantic import Field, ValidationError

from blindrelay.console.bench import OFFICER, Seat
from blindrelay.console.errors import ConsoleError
from blindrelay.policies.manifest import Instrument
from blindrelay.policies.request import InstrumentId, LawfulRequest, Name, TargetFormat
from blindrelay.policies.vocabulary import Capability, DataClass, Mode, Purpose, Scope, Urgency
from blindrelay.protocol.statements import Wire

_SCOPES: Final = {
    TargetFormat.USER: Scope.ACCOUNTS,
    TargetFormat.DEVICE: Scope.ACCOUNTS,
    TargetFormat.TENANT: Scope.TENANT,
    TargetFormat.ALL_USERS: Scope.ALL_USERS,
}
_TERM_DAYS: Final = 30
# A real-time order has no past: one that wants what was before it came is granted in part.
_SOON: Final = timedelta(seconds=1)


class BadAsking(ConsoleError):
    """What was filled in makes no request."""


class Asking(Wire):
    """What somebody fills in.

    Attributes:
        seat: which authority asks.
        target: `bob@globex.example`, `globex.example/bob/phone`, `globex.example` for everybody of it, or `*` for everybody.
        classes: what is asked for; none with a `capability`.
        mode: from what is stored, kept from deletion, or as it happens.
        seconds: how far back the window reaches, or how long a real-time order runs.
        capability: what is to be built, instead of data.
        emergency: life or limb is in danger.
    """

    seat: Name
    instrument: InstrumentId
    target: Name
    classes: frozenset[DataClass] = frozenset()
    mode: Mode = Mode.STORED
    seconds: Annotated[int, Field(ge=5, le=366 * 86_400)] = 7 * 86_400
    capability: Capability | None = None
    emergency: bool = False


def request(asking: Asking, seat: Seat, instrument: Instrument, relay: str, now: datetime) -> LawfulRequest:
    """The request. Every reason is stated that there is, so that a refusal is not for a form that was not filled in.

    Raises `BadAsking`.
    """
    moment = now.astimezone(UTC).replace(microsecond=0)
    try:
        return LawfulRequest.model_validate(
            {
                "id": uuid4(),
                "sender": seat.id,
                "officer": OFFICER,
                "receiver": relay,
                "timestamp": moment,
                "authorisation": _authorisation(asking, seat, instrument, moment),
                "demands": [_demand(asking, moment)],
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = str(first["loc"][-1]) if first["loc"] else "the request"
        raise BadAsking(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None


def _authorisation(asking: Asking, seat: Seat, instrument: Instrument, now: datetime) -> dict[str, Any]:
    days = min(instrument.max_days or _TERM_DAYS, _TERM_DAYS)
    reference = f"{now:%y}-{instrument.id.partition('/')[2]}-{now:%H%M%S}"
    approval = {"role": seat.kind, "name": seat.title, "reference": reference, "timestamp": now}
    return {
        "reference": reference,
        "instrument": instrument.id,
        "jurisdiction": instrument.id.partition("/")[0],
        "timespan": {"start": now - timedelta(hours=1), "end": now + timedelta(days=days) - timedelta(hours=2)},
        "approvals": [{**approval, "is_emergency": asking.emergency}],
        "urgency": Urgency.EMERGENCY if asking.emergency else Urgency.ROUTINE,
        "non_disclosure": None,
        "purpose": Purpose.INVESTIGATE,
        "offence_max_years": 10,
        "enforcing_authority_notified": True,
        "harm_to_investigation": "stated",
        "emergency_grounds": "a life is in danger" if asking.emergency else None,
        "mutual_assistance_reference": reference if instrument.id.endswith("/mutual-assistance") else None,
    }


def _demand(asking: Asking, now: datetime) -> dict[str, Any]:
    kind = _kind(asking.target)
    if asking.capability is not None:
        return {
            "kind": "capability",
            "id": "d1",
            "capability": asking.capability,
            "scope": _SCOPES[kind],
            "description": f"{asking.capability.replace('-', ' ')}, for {asking.target}",
        }
    length = timedelta(seconds=asking.seconds)
    is_stream = asking.mode is Mode.STREAM
    start = now + _SOON if is_stream else now - length
    wants_words = bool(asking.classes & {DataClass.CONTENT, DataClass.KEYS})
    return {
        "kind": "data",
        "id": "d1",
        "classes": asking.classes,
        "mode": asking.mode,
        "scope": _SCOPES[kind],
        "targets": [{"format": kind, "value": asking.target}],
        "window": {"start": start, "end": start + length},
        "delivery_type": (("IRIandCC" if wants_words else "IRIOnly") if is_stream else None),
    }


def _kind(target: str) -> TargetFormat:
    if target == "*":
        return TargetFormat.ALL_USERS
    if "/" in target:
        return TargetFormat.DEVICE
    return TargetFormat.USER if "@" in target else TargetFormat.TENANT
