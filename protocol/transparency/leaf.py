"""Entries as models: closed, immutable, and with one form as bytes, so that a hash names one thing."""

import json
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from blindrelay.protocol.errors import Malformed


class Leaf(BaseModel):
    """What a log has as an entry, or inside of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def encode(self) -> bytes:
        """The entry as it is in the log: canonical JSON (keys sorted, no spaces, ASCII)."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode("ascii")


AnyLeaf = TypeVar("AnyLeaf", bound=Leaf)


def parse(kinds: TypeAdapter[AnyLeaf], data: bytes, log: str) -> AnyLeaf:
    """The entry of the log `log` that these bytes are. Raises `Malformed` for anything that is not one in its one form."""
    try:
        entry = kinds.validate_json(data, strict=True)
    except ValidationError as error:
        raise Malformed(f"not an entry of a log `{log}`: {error.error_count()} fields are wrong") from None
    if entry.encode() != data:
        raise Malformed(f"an entry of a log `{log}` is not in canonical form")
    return entry
