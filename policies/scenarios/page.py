"""The reference page of the format, from the model: `python -m blindrelay.policies.scenarios.page` prints it."""

import sys
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime
from pydantic_core import PydanticUndefined

from blindrelay.policies.scenarios import expectations, steps, world
from blindrelay.policies.scenarios.model import Scenario
from blindrelay.policies.scenarios.words import Bounds, Piece

_HEAD: Final = """\
# The scenario format

A scenario is one YAML file whose name ends in `.scenario.yaml`: a world, what happens in it, and what is expected.
How one is written step by step: [write a scenario](../how-to/write-a-scenario.md). Run it with `blindrelay scenario
run FILE`, or with `pytest`.

Editors complete and check it by the [JSON Schema](../../policies/scenarios/scenario.schema.json) when the first line
names it:

```yaml
# yaml-language-server: $schema=scenario.schema.json
```

- **YAML**: strings, numbers, `true` and `false`, lists, mappings, anchors. A date stays text until it is read as one;
  `no` is a country. A key that is there twice, or is none of those below, is an error with its line.
- **Moments** are `2015-07-22` (its first second, UTC) or `2015-07-22T09:30:00Z`; **durations** are ISO 8601: `P10D`,
  `PT8H`.
- **Demands** are named `case/demand`, both as the scenario calls them.
- **Counts** are a number, or `{at_least: 1, at_most: 3}`.
- **Order**: everything happens in the order of time; a letter of the traffic before a step of the same moment. The
  clock stands still while something happens. In between it moves on in steps of a day at most, and after each the
  relay does what is due.
- **Variants** are run each by itself, in a world of its own: a letter or step with `only_in` belongs to those alone.

## What is so in every scenario

A scenario need not say these; each run compares them.

- No decision grants content, keys, a capability, or the records of everybody.
- Each record of a package is of a class, a target and a window that was granted, and the package's signature, digests
  and recipient are right.
- What people wrote is in no byte that the relay keeps, in no answer, package, stream or notice: searched for as
  UTF-8, UTF-16, hexadecimal and Base64.
- Nothing that was accepted is lost: it is on a device, waits, or has expired.

Letters are counted as the relay counts them: one traffic record for each device of the recipient, and for each other
device of the sender's. Devices send no receipts in a scenario. Each letter, each one that is fetched, each
`collect` and each look at `notices` is a connection of every device concerned, and so an access record. Whoever is
connected is handed what waits.
"""

_SECTIONS: Final[tuple[tuple[str, type[Piece]], ...]] = (
    ("The scenario", Scenario),
    ("`operator`", world.Operator),
    ("`operator.retention`", world.Retention),
    ("`tenants`", world.Tenant),
    ("`authorities`", world.Authority),
    ("`instruments`", world.Instrument),
    ("`instruments.*.issued_by`, as a list", world.Issuer),
    ("`instruments.*.non_disclosure`", world.NonDisclosure),
    ("`valid`, `window`", world.Span),
    ("`traffic`", steps.Letter),
    ("`steps`", steps.Step),
    ("`send`", steps.Send),
    ("`demand`", steps.Demand),
    ("`demand.asks`: data", steps.DataAsk),
    ("`demand.asks`: a capability", steps.CapabilityAsk),
    ("`demand.asks`: the service", steps.ServiceAsk),
    ("`approve`", steps.Approve),
    ("`reject`", steps.Reject),
    ("`event`", steps.Event),
    ("`operate`", steps.ServiceEvent),
    ("`expect`", expectations.Expectations),
    ("`expect.decisions`", expectations.DemandExpectation),
    ("`expect.decisions.*.classes`", expectations.ClassExpectation),
    ("`expect.decisions.*.stream`, `classes.*.window`", expectations.WindowExpectation),
    ("`expect.packages`", expectations.PackageExpectation),
    ("`expect.streams`", expectations.StreamExpectation),
    ("`expect.cases`", expectations.CaseExpectation),
    ("`expect.notices`", expectations.NoticeExpectation),
    ("`expect.service`", expectations.ServiceExpectation),
    ("`expect.mail`", expectations.MailExpectation),
)


def render() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *(_section(title, model) for title, model in _SECTIONS)])


def _section(title: str, model: type[Piece]) -> str:
    lines = [
        f"## {title}",
        "",
        (model.__doc__ or "").strip(),
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "*required*" if default is PydanticUndefined else _default(default)
        lines.append(f"| `{field.alias or name}` | {_type(field.annotation)} | {shown} | {field.description or ''} |")
    return "\n".join([*lines, ""])


def _default(value: object) -> str:
    if value is None or value in ((), {}, frozenset()) or isinstance(value, Piece):
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _type(annotation: Any) -> str:  # noqa: PLR0911 - one for each kind of type
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in {Union, UnionType}:
        return " or ".join(dict.fromkeys(_type(one) for one in arguments if one is not NoneType))
    if origin is Literal:
        return ", ".join(f"`{one.value if isinstance(one, Enum) else one}`" for one in arguments)
    if origin in {tuple, frozenset, list}:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[0])} → {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    if annotation is Bounds:
        return "bounds"
    if isinstance(annotation, type) and issubclass(annotation, Piece):
        return "mapping"
    names = {str: "text", int: "number", bool: "`true`, `false`", AwareDatetime: "moment", NoneType: "`null`"}
    return names.get(annotation, "duration" if getattr(annotation, "__name__", "") == "timedelta" else "moment")


if __name__ == "__main__":
    sys.stdout.write(render())
