"""Types without a place for what nobody has listed: no free text, no bytes, no open mapping, nothing that is not declared."""

import types
import typing
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from blindrelay.policies import leaves
from blindrelay.policies.package import Manifest
from blindrelay.policies.records import AccessRecord, SubscriberRecord, TrafficRecord
from blindrelay.policies.stream import Gap, StreamEnd
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.notices import DisclosureNotice, ServiceNotice
from blindrelay.protocol.transparency import directory, leaf

#: What can leave, and what is public about it.
_LEAVES: Final = tuple(
    each
    for module in (leaves, directory)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, leaf.Leaf) and each is not leaf.Leaf
)
MODELS: Final[tuple[type[BaseModel], ...]] = (
    Manifest, SubscriberRecord, AccessRecord, TrafficRecord, Gap, StreamEnd, DisclosureNotice, ServiceNotice, *_LEAVES,
)  # fmt: skip
#: Lines of a notice that are taken over from the register and the request. They are compared with those.
QUOTED: Final = {
    (DisclosureNotice, "id"): "case, demand and user",
    (DisclosureNotice, "authority"): "the register's name of the authority",
    (DisclosureNotice, "instrument"): "the request's instrument",
    (DisclosureNotice, "legal_reference"): "the request's reference",
    (ServiceNotice, "id"): "the change of the service",
    (ServiceNotice, "ordered_by"): "the register's name of the authority, or the operator's",
}
# An address is made of names that have a form of their own: see `blindrelay.protocol.address`.
_PLAIN: Final = (bool, int, datetime, date, UUID, IPv4Address, IPv6Address, UserAddress, DeviceAddress, types.NoneType)


def open_places(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> Iterator[str]:
    """Every place of a model where something could stand that nobody has listed."""
    if model.model_config.get("extra") != "forbid":
        yield f"{model.__name__} takes keys that are not declared"
    if not model.model_config.get("frozen"):
        yield f"{model.__name__} can be changed after it was made"
    for name, field in model.model_fields.items():
        if (model, name) not in QUOTED:
            for why in _open(field.annotation, _patterns(field), seen | {model}):
                yield f"{model.__name__}.{name} {why}"


def _patterns(field: FieldInfo) -> list[Any]:
    return [*field.metadata]


def _open(kind: Any, metadata: list[Any], seen: frozenset[type]) -> Iterator[str]:  # noqa: PLR0912
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        inner, *more = typing.get_args(kind)
        yield from _open(inner, [*metadata, *more], seen)
    elif origin is typing.Literal or kind in _PLAIN:
        return
    elif origin in {typing.Union, types.UnionType}:
        for each in typing.get_args(kind):
            yield from _open(each, metadata, seen)
    elif origin in {tuple, frozenset}:
        for each in typing.get_args(kind):
            if each is not Ellipsis:
                yield from _open(each, [], seen)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        return
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            yield from open_places(kind, seen)
    elif kind is str:
        if not any(_closes(each) for each in metadata):
            yield "is a text without a form"
    elif hasattr(kind, "__value__"):
        yield from _open(kind.__value__, metadata, seen)
    else:
        yield f"is a {getattr(kind, '__name__', kind)}, which could hold anything"


def _closes(constraint: Any) -> bool:
    """Whether it is a pattern without room for a sentence: anchored, and without space."""
    pattern = getattr(constraint, "pattern", None)
    if isinstance(constraint, FieldInfo):
        return any(_closes(each) for each in constraint.metadata)
    if not isinstance(constraint, StringConstraints) and pattern is None:
        return False
    text = getattr(pattern, "pattern", pattern)
    return (
        isinstance(text, str)
        and text.startswith("^")
        and text.endswith("$")
        and " " not in text
        and "." not in _bare(text)
    )


def _bare(pattern: str) -> str:
    """A pattern without its escapes and character classes: a dot that is left stands for anything."""
    out, is_class, skip = "", False, False
    for character in pattern:
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif character == "[":
            is_class = True
        elif character == "]":
            is_class = False
        elif not is_class:
            out += character
    return out
