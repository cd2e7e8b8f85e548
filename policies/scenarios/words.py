"""The words that a scenario is made of: moments, names, counts."""

from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

DATE_LENGTH: Final = len("2015-07-22")


class Piece(BaseModel):
    """Unknown keys are errors: a misspelt expectation must not pass because nobody looked for it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _moment(value: object) -> object:
    """A date alone is its first second, in UTC."""
    if isinstance(value, str) and len(value) == DATE_LENGTH:
        return f"{value}T00:00:00Z"
    return value


#: `2015-07-22` (its first second, UTC) or `2015-07-22T09:30:00Z`.
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "description": "A date (its first second, UTC) or a moment with its time zone.",
            "examples": ["2015-07-22", "2015-07-22T09:30:00Z"],
        }
    ),
]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
#: Names that a scenario gives to its own things: cases, instruments, letters, variants.
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
#: `<case>/<demand>`.
DemandName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}/[a-z0-9][a-z0-9-]{0,40}$")]
TenantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
LocalName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
#: `alice@acme.example`.
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}@[a-z0-9.-]+$")]
#: ISO 3166-1 alpha-2 in lower case, or `eu`.
Jurisdiction = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Number = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Bounds(Piece):
    """A count that is not known to the last one."""

    at_least: Number = 0
    """The fewest that there may be."""
    at_most: Number | None = None
    """The most that there may be; without it there is no bound."""

    def holds(self, count: int) -> bool:
        """Whether `count` is within."""
        return self.at_least <= count and (self.at_most is None or count <= self.at_most)

    def __str__(self) -> str:
        return f"at least {self.at_least}" + ("" if self.at_most is None else f" and at most {self.at_most}")


Count = Number | Bounds


def counts(expected: Count, found: int) -> bool:
    """Whether `found` is what was expected."""
    return expected.holds(found) if isinstance(expected, Bounds) else expected == found
