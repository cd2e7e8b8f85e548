"""The spans of traces, which are off by default: what each is about, and what it says. Nothing else leaves in one.

There is none of a message. A commit has one, whatever is in it, and of those a share is sent that the operator chooses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from blindrelay.protocol.rpc import METHODS, ErrorCode

#: An attribute that is a count.
NUMBER: Final[frozenset[str] | None] = None


@dataclass(frozen=True, slots=True)
class Span:
    """One kind of span. `attributes`: what each may be, one of a list or a `NUMBER`."""

    name: str
    purpose: str
    attributes: Mapping[str, frozenset[str] | None] = field(default_factory=dict)


SPANS: Final[tuple[Span, ...]] = (
    Span(
        "commit", "how long the store takes for what arrived together",
        {"messages": NUMBER, "outcome": frozenset({"committed", "full", "failed"})},
    ),
    Span(
        "request", "how long a request of a client takes",
        {
            "method": frozenset({*METHODS, "unknown"}),
            "outcome": frozenset({"answered", *(code.value for code in ErrorCode)}),
        },
    ),
    Span("purge", "how long retention takes", {"deleted": NUMBER}),
)  # fmt: skip

#: What is said of the process that sends them.
RESOURCE: Final = ("service.name", "service.version")
