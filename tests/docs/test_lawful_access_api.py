"""The reference page of the lawful-access API says what the code says."""

import re
from pathlib import Path

import pytest

from blindrelay.policies import exchange
from blindrelay.policies.request import (
    Approval,
    Authorisation,
    CapabilityDemand,
    DataDemand,
    LawfulRequest,
    ServiceDemand,
)
from blindrelay.policies.vocabulary import DataClass, Mode, Outcome, Scope
from blindrelay.protocol.statements import Wire
from blindrelay.relay.desk.http.__main__ import described
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.problems import ProblemKind

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "lawful-access-api.md").read_text()


@pytest.mark.parametrize(
    "model",
    [
        LawfulRequest,
        Authorisation,
        Approval,
        DataDemand,
        CapabilityDemand,
        ServiceDemand,
        exchange.AuthorityCard,
        exchange.RequestCall,
        exchange.StreamCall,
        exchange.CaseAnswer,
        exchange.DemandAnswer,
        exchange.ReasonAnswer,
    ],
)
def test_every_field_is_documented(model: type[Wire]) -> None:
    """Each field of what is sent and answered is on the page."""
    left_out = {"demand_id", "demands"} if model in {exchange.DemandAnswer, exchange.CaseAnswer} else set()

    assert [name for name in model.model_fields if f"`{name}`" not in PAGE and name not in left_out] == []


def test_every_problem_is_documented() -> None:
    """The table of problems is complete, each with its status."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE))

    assert rows == {kind.slug: str(kind.status) for kind in ProblemKind}


def test_every_address_is_documented() -> None:
    """The table of addresses is that of the OpenAPI document, without the operators' ones."""
    documented = set(re.findall(r"^\| `((?:GET|POST) /v1/\w+)` \|", PAGE, re.MULTILINE))
    there = {
        f"{method.upper()} {path}"
        for path, operations in described()["paths"].items()
        for method in operations
        if "operator" not in path
    }

    assert documented == there


@pytest.mark.parametrize("word", [*DataClass, *Outcome, *Scope, Mode.STORED, Mode.PRESERVE, Mode.STREAM])
def test_the_words_are_documented(word: str) -> None:
    """The vocabulary of a demand and of its outcome."""
    assert f"`{word}`" in PAGE


def test_the_limits_are_documented() -> None:
    """A limit that changes in the code changes on the page."""
    limits = DoorLimits()

    assert f"{limits.address_rate:g} a second, {limits.address_burst} at once" in PAGE
    assert f"{limits.authority_rate:g} a second, {limits.authority_burst} at once" in PAGE
    assert f"{limits.connections:,}, and {limits.connections_per_address} of one address" in PAGE
    assert f"{exchange.MAX_CALL:,} bytes" in PAGE
    assert f"no more than {exchange.MAX_AGE} old and {exchange.MAX_AHEAD} ahead" in PAGE
    assert limits.head_seconds == limits.body_seconds == 10
    assert f"every {limits.beat_seconds:g} seconds" in PAGE
