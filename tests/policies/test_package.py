"""What a package can hold (`policies/records.py`, `policies/package.py`, `policies/stream.py`): lock 3."""

import json
import re
import types
import typing
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, StringConstraints

from blindrelay.policies.package import KINDS, Manifest, access, canonical, lines, subscriber, traffic, traffic_lines
from blindrelay.policies.records import AccessRecord, Record, SubscriberRecord, TrafficRecord
from blindrelay.policies.stream import Gap, StreamEnd
from blindrelay.policies.vocabulary import METADATA, DataClass

DISCLOSED = (SubscriberRecord, AccessRecord, TrafficRecord, Manifest, Gap, StreamEnd)

# Closed values: numbers, times, addresses, members of an enumeration.
CLOSED = (int, bool, date, datetime, IPv4Address, IPv6Address, UUID, types.NoneType)
# What people write. A pattern that lets one of these through is free text.
WRITTEN = ("Dear Bob, meet me at nine.", "meet me", "line\nline", "Grüße", "<b>", "a,b", '"', "")
# Names and hex digits are short; what is longer could carry a message whatever its alphabet.
LONGEST = 256


def problems(kind: Any, path: str, metadata: tuple[Any, ...] = ()) -> Iterator[str]:
    """Where in a type there is room for free text, bytes or an open mapping."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, *more = typing.get_args(kind)
        yield from problems(inner, path, (*metadata, *more))
    elif origin in (typing.Union, types.UnionType):
        for part in typing.get_args(kind):
            yield from problems(part, path, metadata)
    elif origin is typing.Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return
    elif origin is tuple:
        for part in typing.get_args(kind):
            if part is not Ellipsis:
                yield from problems(part, f"{path}[]")
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from model_problems(kind, path)
    elif kind is str:
        yield from text_problems(path, metadata)
    elif kind not in CLOSED:
        yield f"{path}: {kind}"


def model_problems(model: type[BaseModel], path: str) -> Iterator[str]:
    if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
        yield f"{path}: {model.__name__} is open"
    for name, kind in typing.get_type_hints(model, include_extras=True).items():
        if name in model.model_fields:
            yield from problems(kind, f"{path}.{name}")


def text_problems(path: str, metadata: tuple[Any, ...]) -> Iterator[str]:
    patterns = [item.pattern for item in metadata if isinstance(item, StringConstraints) and item.pattern]
    if not patterns:
        yield f"{path}: text without a pattern"
    for pattern in patterns:
        text = pattern if isinstance(pattern, str) else pattern.pattern
        if not (text.startswith("^") and text.endswith("$")):
            yield f"{path}: a pattern that is not anchored"
        if any(re.search(text, written) for written in WRITTEN) or re.search(text, "a" * LONGEST + "0" * LONGEST):
            yield f"{path}: free text"


@pytest.mark.parametrize("model", DISCLOSED)
def test_there_is_no_place_for_text_bytes_or_open_mappings(model: type[Record]) -> None:
    """Whatever is disclosed is an identifier, a time, a count, a member of an enumeration or an address."""
    assert list(model_problems(model, model.__name__)) == []


@pytest.mark.parametrize(
    "kind",
    [
        str,
        bytes,
        dict[str, int],
        list[Any],
        object,
        float,
        str | None,
        tuple[str, ...],
        Annotated[str, Field(max_length=10)],
        Annotated[str, StringConstraints(pattern=r"^.*$")],
        Annotated[str, StringConstraints(pattern=r"[a-z]+")],
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")],
    ],
    ids=str,
)
def test_the_walk_finds_what_is_open(kind: Any) -> None:
    """The check above would notice a field of this kind."""
    assert list(problems(kind, "field"))


def test_an_open_model_is_found() -> None:
    """So would it notice a model that takes keys that are not declared."""

    class Open(BaseModel):
        number: int

    assert list(problems(Open, "field"))


def test_there_is_a_kind_for_each_class_of_metadata_and_for_nothing_else() -> None:
    """Content and keys have no place in a package."""
    assert set(KINDS) == METADATA
    for data_class, kind in KINDS.items():
        assert kind.model.model_fields["record"].default == data_class.lower()
        assert set(kind.fields) == set(kind.model.model_fields) - {"record"}


seconds = st.integers(0, 4_000_000_000)
traffic_rows = st.tuples(
    st.binary(min_size=16, max_size=16),
    st.none() | st.integers(1, 2**40),
    st.integers(1, 2**40),
    seconds,
    st.integers(1, 2**30),
)


@given(traffic_rows)
def test_a_line_of_traffic_is_the_canonical_form_of_its_record(row: tuple[Any, ...]) -> None:
    """What is put together from columns is what the closed schema says, JSON and CSV."""
    assert traffic_lines(row) == lines(traffic(row), KINDS[DataClass.TRAFFIC].fields)
    assert TrafficRecord.model_validate_json(traffic_lines(row)[0]) == traffic(row)


@given(
    st.tuples(
        st.integers(1, 2**40),
        st.integers(0, 1_000_000),
        st.none() | st.integers(0, 1_000_000),
        st.ip_addresses().map(str),
        st.none() | st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._/-]{0,39}\Z"),
    )
)
def test_a_line_of_a_connection_reads_back(row: tuple[Any, ...]) -> None:
    """JSON and CSV say the same, in the order of the columns."""
    json_line, csv_line = KINDS[DataClass.ACCESS].lines(row)

    assert AccessRecord.model_validate_json(json_line) == access(row)
    assert csv_line.split(",")[0] == str(row[0])
    assert csv_line.count(",") == 4


def test_canonical_json_is_one_form() -> None:
    """Keys sorted, no spaces, times in UTC, nothing but ASCII."""
    record = subscriber((7, "globex.example", "bob", "phone", None, 18_000, 19_000, None))

    assert canonical(record) == (
        b'{"account_id":7,"device":"phone","jurisdiction":null,"last_seen":null,"record":"subscriber",'
        b'"registered":"2022-01-08","tenant":"globex.example","tenant_registered":"2019-04-14","user":"bob"}'
    )
    assert json.loads(canonical(record))["user"] == "bob"
