"""Which test covers which normative statement of MQTT 5, decision of the profile, or class of bugs.

A test names what it covers in its docstring, or in the strings of its parameters. `docs/reference/mqtt-conformance.md` is
written by `python tests/support/conformance.py`, and `tests/relay/mqtt/test_conformance.py` holds both to it.
"""

import ast
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "mqtt-conformance.md"

# Section of the standard -> the numbers of its statements that concern a server with this profile.
_SECTIONS: Final = {
    "1.5.4": "1-3",
    "1.5.5": "1",
    "1.5.7": "1",
    "2.1.3": "1",
    "2.2.1": "2-6",
    "2.2.2": "1",
    "3.1.0": "1-2",
    "3.1.2": "1-11 13 16-30",
    "3.1.3": "1-9 11-12",
    "3.1.4": "1-6",
    "3.2.0": "1-2",
    "3.2.2": "1-22",
    "3.3.1": "1-3 5-13",
    "3.3.2": "1-18 20",
    "3.3.4": "1 3-10",
    "3.4.2": "1-3",
    "3.8.1": "1",
    "3.8.3": "1-5",
    "3.8.4": "1-8",
    "3.9.2": "1-2",
    "3.9.3": "1-2",
    "3.10.1": "1",
    "3.10.3": "1-2",
    "3.10.4": "1-6",
    "3.11.2": "1-2",
    "3.11.3": "1-2",
    "3.12.4": "1",
    "3.14.0": "1",
    "3.14.1": "1",
    "3.14.2": "1-4",
    "3.14.4": "1-3",
    "3.15.1": "1",
    "4.1.0": "1-2",
    "4.3.2": "1-5",
    "4.4.0": "1-2",
    "4.5.0": "1-2",
    "4.6.0": "1-6",
    "4.7.0": "1",
    "4.7.1": "1-2",
    "4.7.3": "1-4",
    "4.9.0": "1-3",
    "4.12.0": "1 6-7",
    "4.13.1": "1",
    "4.13.2": "1",
}
_CLASSES: Final = {"D": 12, "M": 11, "Q": 6, "S": 12, "R": 12}

_CLIENT: Final = "binds clients: see the tests of our own"
_WILL: Final = "no wills: CONNECT with one is refused (D12), so none is ever stored or published"
_RETAIN: Final = "no retained messages: RETAIN is refused with 0x9A, and no SUBSCRIBE has anything to send"
_ALIAS: Final = "no topic aliases: Topic Alias Maximum is 0, and any alias is refused with 0x94"
_IDENTIFIERS: Final = "no subscription identifiers: refused with 0xA1"
_USER_PROPERTIES: Final = "we send no user properties in it"

#: Statement or class -> why no test of it is asked for.
REASONS: Final[Mapping[str, str]] = {
    "3.1.2-7": _WILL,
    "3.1.2-8": _WILL,
    "3.1.2-10": _WILL,
    "3.1.3-9": _WILL,
    "3.14.4-3": _WILL,
    "3.1.2-20": _CLIENT,
    "3.1.2-21": _CLIENT,
    "3.1.2-30": _CLIENT,
    "3.2.2-4": _CLIENT,
    "3.2.2-5": _CLIENT,
    "3.2.2-17": _CLIENT,
    "3.2.2-18": _CLIENT,
    "3.2.2-21": _CLIENT,
    "3.3.4-8": _CLIENT,
    "4.5.0-2": _CLIENT,
    "4.6.0-1": _CLIENT,
    "4.6.0-2": _CLIENT,
    "4.6.0-3": _CLIENT,
    "4.6.0-4": _CLIENT,
    **{f"3.3.1-{number}": _RETAIN for number in range(5, 14)},
    **{f"3.3.2-{number}": _ALIAS for number in (7, 9, 10, 11, 12)},
    **{f"3.3.4-{number}": _IDENTIFIERS for number in (3, 4, 5)},
    "3.2.2-20": _USER_PROPERTIES,
    "3.4.2-3": _USER_PROPERTIES,
    "3.9.2-2": _USER_PROPERTIES,
    "3.11.2-1": "we send no reason string in UNSUBACK",
    "3.11.2-2": _USER_PROPERTIES,
    "3.14.2-4": _USER_PROPERTIES,
    "3.8.3-3": "No Local is refused (D5)",
    "S10": "there is no rule file: who may do what is code, and a damaged record in the database stops the start",
    "R9": "there is one node: nothing has to be woken up by somebody else",
}

_NAMED: Final = re.compile(r"(?<![\d.-])\d\.\d{1,2}\.\d{1,2}-\d{1,2}(?!\d)|\b[DMQSR](?:1[0-2]|[1-9])\b")


def identifiers() -> list[str]:
    """Everything that has to be covered, in order."""
    found = []
    for section, numbers in _SECTIONS.items():
        for part in numbers.split():
            first, _, last = part.partition("-")
            found += [f"{section}-{number}" for number in range(int(first), int(last or first) + 1)]
    return found + [f"{letter}{number}" for letter, count in _CLASSES.items() for number in range(1, count + 1)]


@cache
def named() -> Mapping[str, frozenset[str]]:
    """Identifier -> the test files that name it, relative to the repository."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.name == "test_conformance.py":
            continue
        for text in _strings(ast.parse(path.read_text())):
            for identifier in _NAMED.findall(text):
                found.setdefault(identifier, set()).add(str(path.relative_to(ROOT)))
    return {identifier: frozenset(files) for identifier, files in found.items()}


def _strings(tree: ast.Module) -> list[str]:
    """All strings of a module but its docstring, which sums up."""
    docstring = ast.get_docstring(tree, clean=False)
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != docstring
    ]


def page() -> str:
    """The reference page."""
    lines = [
        "# MQTT 5: what is held to what",
        "",
        "Every normative statement of OASIS MQTT 5.0 that concerns a server like this one (`[MQTT-3.1.0-1]` is `3.1.0-1`),",
        "every decision of the profile (D) and every class of bugs of such servers (M: memory and time before authentication,",
        "Q: after it, S: identity and authorisation, R: delivery), with the tests that name it or the reason why none does.",
        "Not in the profile, and refused: QoS 2 (`4.3.3-*`), shared subscriptions (`4.8.2-*`), enhanced authentication",
        "(`4.12.*`), WebSocket (`6.0.0-*`).",
        "",
        "This page is written by `python tests/support/conformance.py`, and checked by `tests/relay/mqtt/test_conformance.py`.",
        "",
        "| | tests, or why none |",
        "|---|---|",
    ]
    for identifier in identifiers():
        files = sorted(named().get(identifier, ()))
        said = (
            REASONS.get(identifier) or ", ".join(f"`{file.removeprefix('tests/')}`" for file in files) or "**nothing**"
        )
        lines.append(f"| {identifier} | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    missing = [name for name in identifiers() if name not in named() and name not in REASONS]
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written; without test or reason: {' '.join(missing) or 'none'}\n")
