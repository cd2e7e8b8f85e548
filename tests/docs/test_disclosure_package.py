"""The page of the package's format, and the format."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from blindrelay.policies.package import KINDS, MAX_FRAME, NUMBERS, PURPOSE, ClassEntry, FileEntry, Manifest
from blindrelay.policies.records import AccessRecord, SubscriberRecord, TrafficRecord
from blindrelay.policies.stream import EndReason, Gap, GapReason, StreamEnd
from blindrelay.protocol.sealing import CHUNK, SEALED_KEY_LENGTH, sealing_info

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "disclosure-package.md").read_text()
MODELS: tuple[type[BaseModel], ...] = (
    Manifest, ClassEntry, FileEntry, SubscriberRecord, AccessRecord, TrafficRecord, Gap, StreamEnd,
)  # fmt: skip


def table(title: str) -> list[list[str]]:
    """The cells of the first table below a title, without its head."""
    (section,) = re.findall(rf"^### {title}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_table_has_each_field_in_its_order(model: type[BaseModel]) -> None:
    """Nothing that a package holds is missing on the page, and the page promises nothing else."""
    assert [row[0].strip("`") for row in table(model.__name__)] == list(model.model_fields)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_may_be_null_is_said_to_be(model: type[BaseModel]) -> None:
    """An opener in another language has to know."""
    said = {row[0].strip("`"): row[1].endswith("or null") for row in table(model.__name__)}

    assert said == {name: type(None) in get_args(field.annotation) for name, field in model.model_fields.items()}


def test_frames_have_the_numbers_of_the_page() -> None:
    """Number, then file."""
    assert [(row[0], row[1].strip("`")) for row in table("The frames")] == [
        (str(n), name) for name, n in NUMBERS.items()
    ]


@pytest.mark.parametrize(("enum", "model"), [(GapReason, "Gap"), (EndReason, "StreamEnd")])
def test_each_reason_is_explained(enum: type[StrEnum], model: str) -> None:
    """Every word that a stream can say is there."""
    (reason,) = (row[2] for row in table(model) if row[0] == "`reason`")

    assert set(re.findall(r"`([a-z-]+)`:", reason)) == set(enum)


def test_lengths_and_labels_are_those_of_the_code() -> None:
    """What is hashed, bound and cut."""
    numbers: list[Any] = [MAX_FRAME, CHUNK, SEALED_KEY_LENGTH]
    outer, inner = sealing_info(PURPOSE).decode().split("\0")

    assert all(f"{number:,} bytes" in PAGE for number in numbers)
    assert f"`{outer}`, a zero byte, `{inner}`" in PAGE


@pytest.mark.parametrize("data_class", KINDS, ids=str)
def test_columns_are_the_fields_in_the_order_of_the_page(data_class: Any) -> None:
    """The CSV file of a class."""
    kind = KINDS[data_class]

    assert kind.fields == tuple(row[0].strip("`") for row in table(kind.model.__name__) if row[0] != "`record`")
