"""From what somebody fills in to a request."""

from datetime import UTC, datetime, timedelta

import pytest

from blindrelay.console.asking import Asking, BadAsking, request
from blindrelay.console.bench import Seat
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import CapabilityDemand, DataDemand, DeliveryType
from blindrelay.policies.vocabulary import AuthorityKind, Capability, DataClass, Mode, Scope

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
COURT = Seat("us", AuthorityKind.JUDGE)
(WARRANT,) = (one for one in Policies.load().packs["us"].manifest.instruments if one.id == "us/search-warrant")


def asked(**values: object) -> DataDemand | CapabilityDemand:
    """The demand of a request."""
    asking = Asking.model_validate(
        {"seat": COURT.id, "instrument": WARRANT.id, "target": "bob@globex.example", "classes": ["TRAFFIC"], **values}
    )
    (demand,) = request(asking, COURT, WARRANT, "relay", NOW).demands
    assert isinstance(demand, DataDemand | CapabilityDemand)
    return demand


@pytest.mark.parametrize(
    ("target", "scope"),
    [("bob@globex.example", Scope.ACCOUNTS), ("globex.example/bob/phone", Scope.ACCOUNTS), ("globex.example", Scope.TENANT),
     ("*", Scope.ALL_USERS)],
)  # fmt: skip
def test_scope_follows_from_the_target(target: str, scope: Scope) -> None:
    """Whoever names everybody asks for everybody."""
    assert asked(target=target).scope is scope


def test_what_is_kept_lies_behind_and_what_arises_ahead() -> None:
    """A window of stored data ends now, one of a real-time order begins in a moment."""
    stored, stream = asked(seconds=60), asked(seconds=60, mode=Mode.STREAM)
    assert isinstance(stored, DataDemand)
    assert isinstance(stream, DataDemand)
    assert (stored.window.start, stored.window.end) == (NOW - timedelta(minutes=1), NOW)
    assert stream.window.start > NOW
    assert stream.window.end - stream.window.start == timedelta(minutes=1)


def test_words_are_asked_for_as_words() -> None:
    """A real-time order that wants them says so in its delivery; it is not quietly made one without."""
    words = asked(mode=Mode.STREAM, classes=["TRAFFIC", "CONTENT"])
    records = asked(mode=Mode.STREAM, classes=["TRAFFIC"])
    assert isinstance(words, DataDemand)
    assert isinstance(records, DataDemand)
    assert words.classes == {DataClass.TRAFFIC, DataClass.CONTENT}
    assert (words.delivery_type, records.delivery_type) == (DeliveryType.IRI_AND_CC, DeliveryType.IRI_ONLY)


def test_something_to_be_built_is_no_data() -> None:
    """Whatever else was filled in."""
    demand = asked(capability=Capability.GHOST_DEVICE, target="*")
    assert isinstance(demand, CapabilityDemand)
    assert demand.scope is Scope.ALL_USERS


def test_what_makes_no_request_is_a_sentence() -> None:
    """Nothing asked for is no request."""
    with pytest.raises(BadAsking, match="classes"):
        asked(classes=[])
