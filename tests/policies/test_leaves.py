"""The entries of the log of requests: closed forms, one encoding each, and commitments that bind and hide."""

import contextlib
import json
from collections.abc import Iterator
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from blindrelay.policies import leaves
from blindrelay.policies.leaves import Commitment, Opening, Told, case_label
from blindrelay.protocol.errors import Malformed

OPENING = Opening(step="package", case=UUID(int=7), sequence=3, row="a" * 64, demand="d1", document="b" * 64)


def leaf_types(annotation: Any) -> Iterator[Any]:
    """The types that a field may have, down to those that have no parts."""
    origin = get_origin(annotation)
    if origin in (Annotated, Union, UnionType, tuple):
        parts = get_args(annotation)
        for part in parts[:1] if origin is Annotated else parts:
            yield from leaf_types(part)
    elif origin is Literal:
        return
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield from leaf_types(
                field.annotation if not field.metadata else Annotated[field.annotation, *field.metadata]
            )
    elif annotation not in (NoneType, Ellipsis):
        yield annotation


@pytest.mark.parametrize("model", [Commitment, *get_args(Told)], ids=lambda model: model.__name__)
def test_there_is_no_place_for_a_sentence(model: type[BaseModel]) -> None:
    """Numbers, days, words of lists; a string only where a pattern leaves no room. No bytes, no open mapping."""
    for name, field in model.model_fields.items():
        for kind in leaf_types(field.annotation):
            closed = kind in (int, bool) or kind.__name__ == "date" or issubclass(kind, Enum)
            assert closed or (kind is str and any(getattr(each, "pattern", None) for each in field.metadata)), (
                name,
                kind,
            )
    assert model.model_config["extra"] == "forbid"


@given(st.binary(max_size=300))
def test_parsing_anything_is_an_entry_or_malformed(data: bytes) -> None:
    """Nothing else comes out."""
    with contextlib.suppress(Malformed):
        assert leaves.parse(data).encode() == data


def test_an_entry_has_one_form() -> None:
    """Other spaces, another order, one key more: no entry."""
    good = Commitment(commitment="0" * 64).encode()
    assert leaves.parse(good).encode() == good
    value = json.loads(good)
    for spoiled in (json.dumps(value), json.dumps({**value, "note": ""}, separators=(",", ":")), good.decode() + " "):
        with pytest.raises(Malformed):
            leaves.parse(spoiled.encode())


@pytest.mark.parametrize("field", ["step", "case", "sequence", "row", "demand", "document"])
def test_a_commitment_binds_everything_that_it_says(field: str) -> None:
    """Change one thing, and it is another commitment."""
    other = {"step": "release", "case": UUID(int=8), "sequence": 4, "row": "c" * 64, "demand": "d2", "document": None}
    salt = bytes(32)
    assert OPENING.commitment(salt) != OPENING.model_copy(update={field: other[field]}).commitment(salt)


def test_a_commitment_hides_what_it_says() -> None:
    """The same thing with another salt is another commitment, and a case's label leads to no salt."""
    assert OPENING.commitment(bytes(32)) != OPENING.commitment(bytes(31) + b"\1")
    assert case_label(bytes(32)) != case_label(bytes(31) + b"\1")
    assert case_label(bytes(32)) not in OPENING.commitment(bytes(32)).commitment
