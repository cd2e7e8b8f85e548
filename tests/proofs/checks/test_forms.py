"""Types of what leaves have no place for a sentence, and every field of a package is explained."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from blindrelay.policies.records import TrafficRecord
from blindrelay.proofs.checks import closed, explained
from blindrelay.relay.inventory import DataClass
from support.proofs import reasons, report_for

Closed = ConfigDict(extra="forbid", frozen=True)


def model(kind: Any, config: ConfigDict = Closed) -> type[BaseModel]:
    """With one field of a type."""
    return create_model("Given", __config__=config, field=(kind, ...))


@pytest.mark.parametrize(
    "kind",
    [
        int, bool, Literal["a", "b"], Annotated[int, Field(ge=1)], tuple[int, ...], int | None,
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,253}$")],
        Annotated[str, StringConstraints(pattern=r"^[a-z]{2}/[a-z0-9\.]{1,60}$")],
        model(int),
    ],
)  # fmt: skip
def test_what_says_everything_that_it_can_hold(kind: Any) -> None:
    """Numbers, words of a list, names of a form, and what is made of those."""
    assert list(closed.open_places(model(kind))) == []


@pytest.mark.parametrize(
    "kind",
    [
        str, bytes, Any, dict[str, int], list[int], str | None, float,
        Annotated[str, StringConstraints(max_length=20)],
        Annotated[str, StringConstraints(pattern=r"^[a-z ]+$")],
        Annotated[str, StringConstraints(pattern=r"[a-z]+")],
        Annotated[str, StringConstraints(pattern=r"^.+$")],
        tuple[str, ...],
        model(str),
    ],
)  # fmt: skip
def test_what_could_hold_a_sentence(kind: Any) -> None:
    """Free text, bytes, open mappings, and patterns with room for words; anywhere inside."""
    assert list(closed.open_places(model(kind)))


@pytest.mark.parametrize(
    "config", [ConfigDict(frozen=True), ConfigDict(extra="forbid"), ConfigDict(extra="allow", frozen=True)]
)
def test_a_model_that_takes_more_or_can_be_changed(config: ConfigDict) -> None:
    """Though each of its fields is closed."""
    assert list(closed.open_places(model(int, config)))


@pytest.mark.parametrize("each", closed.MODELS, ids=lambda model: model.__name__)
def test_what_leaves_is_closed(each: type[BaseModel]) -> None:
    """Packages, entries of both public logs, notices."""
    assert list(closed.open_places(each)) == []


def test_every_field_of_a_record_is_explained() -> None:
    """By a row of the inventory that is of its class, and may be given."""
    report = report_for("forms")
    explained.examine(report)

    assert reasons(report) == []


@pytest.mark.parametrize(
    "column", ["", "envelope.payload", "device.user"], ids=["no row", "a row that is not to be given", "another class"]
)
def test_a_field_that_is_not_explained(column: str) -> None:
    """No row, or one that is not to be given, or of another class."""
    data_class, columns = explained.EXPLAINED[TrafficRecord]
    report = report_for("forms")
    explained.examine(report, {TrafficRecord: (data_class, columns | {"size": column})})

    assert data_class is DataClass.TRAFFIC
    assert reasons(report) == ["open-type"]
