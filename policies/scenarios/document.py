"""A scenario file: read, checked, and with the line of everything that is wrong in it.

The YAML is the plain part of it: strings, numbers, true and false, lists and mappings. A date stays text until the model reads
it, `no` is a country and not false, and a key that is there twice is an error.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from blindrelay.policies.scenarios.crossings import problems
from blindrelay.policies.scenarios.model import Scenario
from blindrelay.protocol.errors import Malformed

SUFFIX: Final = ".scenario.yaml"
#: More than a hundred times the longest that is shipped.
MAX_BYTES: Final = 4_194_304
_MAX_PROBLEMS: Final = 10


class BadScenario(Malformed):
    """A file is no scenario. The message has a line for each thing that is wrong, with file and line number."""


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario that was read.

    Attributes:
        path: the file.
        lines: the line on which each step begins, from 1.
        own_policies: policy packs to run it with, whatever it names.
    """

    path: Path
    scenario: Scenario
    lines: tuple[int, ...] = field(repr=False)
    own_policies: tuple[Path, ...] = ()

    @property
    def policies(self) -> tuple[Path, ...]:
        """The folders with policy packs that it is run with; none: those that are shipped."""
        return self.own_policies or tuple((self.path.parent / name).resolve() for name in self.scenario.policies)

    def with_policies(self, folders: Sequence[Path]) -> "Source":
        """The same, to be run with these packs whatever it names."""
        return replace(self, own_policies=tuple(folders))


class _Loader(yaml.SafeLoader):
    """YAML without surprises."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def read(path: Path) -> Source:
    """Read a scenario file.

    Raises:
        BadScenario: it cannot be read, is no YAML, or is no scenario.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadScenario(f"{path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise BadScenario(f"{path}: {len(data):,} bytes and more, where {MAX_BYTES:,} are the most")
    return parse(data.decode("utf-8", "replace"), path)


def parse(text: str, path: Path) -> Source:
    """As `read`, of a text; `path` is for messages, and for what the scenario names beside itself."""
    try:
        node = yaml.compose(text, _Loader)
        if node is None:
            raise BadScenario(f"{path}: the file is empty")
        _refuse_duplicates(node, path)
        value = _construct(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise BadScenario(f"{path}{line}: not YAML: {error.problem or error}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadScenario(f"{path}: not YAML: {error}") from error
    try:
        scenario = Scenario.model_validate(value)
    except ValidationError as error:
        raise BadScenario(_sentences(error, node, path)) from error
    if wrong := problems(scenario):
        shown = [f"{path}:{line_of(node, where)}: {_key(where)}: {what}" for where, what in wrong[:_MAX_PROBLEMS]]
        raise BadScenario("\n".join(shown))
    lines = tuple(line_of(node, ("steps", number)) for number in range(len(scenario.steps)))
    return Source(path, scenario, lines)


def find(paths: list[Path]) -> list[Path]:
    """The scenario files among and below `paths`, sorted; a file that is named counts whatever its name.

    Raises:
        BadScenario: there is nothing at a path, or no scenario below it.
    """
    found: list[Path] = []
    for path in paths:
        below = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not path.exists():
            raise BadScenario(f"{path}: there is no such file or folder")
        if not below:
            raise BadScenario(f"{path}: there is no file *{SUFFIX} in it")
        found += below
    return list(dict.fromkeys(found))


def line_of(node: yaml.Node, where: tuple[str | int, ...]) -> int:
    """The line, from 1, of what `where` leads to, as far as it does."""
    here = node
    line: int = node.start_mark.line
    for part in where:
        if isinstance(here, yaml.MappingNode):
            found = [(key, value) for key, value in here.value if key.value == str(part)]
            if not found:
                break
            line, here = found[0][0].start_mark.line, found[0][1]
        elif isinstance(here, yaml.SequenceNode) and isinstance(part, int) and part < len(here.value):
            here = here.value[part]
            line = here.start_mark.line
        else:
            continue  # a part that the model has and the file has not: the name of a kind
    return line + 1


def _construct(node: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_duplicates(node: yaml.Node, path: Path) -> None:
    for part in _mappings(node, set()):
        seen: set[str] = set()
        for key, _ in part.value:
            if str(key.value) in seen:
                raise BadScenario(f"{path}:{key.start_mark.line + 1}: the key {key.value!r} is there twice")
            seen.add(str(key.value))


def _mappings(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    if id(node) in seen:  # an anchor may be used in many places, and even within itself
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
        for key, value in node.value:
            yield from _mappings(key, seen)
            yield from _mappings(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value, seen)


def _sentences(error: ValidationError, node: yaml.Node, path: Path) -> str:
    shown: list[str] = []
    for one in error.errors(include_url=False)[:_MAX_PROBLEMS]:
        where = one["loc"]
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            message = "there is no such key here"
        shown.append(f"{path}:{line_of(node, where)}: {_key(where)}: {message}")
    return "\n".join(dict.fromkeys(shown))


def _key(where: tuple[str | int, ...]) -> str:
    return ".".join(map(str, where)) or "the scenario"
