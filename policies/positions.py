"""YAML with positions: an error in a manifest points at its line."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from blindrelay.policies.findings import BEGINNING, Place

#: libyaml's where PyYAML was built with it: a pack is read ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(Exception):
    """Not YAML, or YAML that says two things at once.

    Attributes:
        place: line and column.
    """

    def __init__(self, message: str, place: Place = BEGINNING) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Positioned:
    """A document and where each part of it stands."""

    value: Any
    root: yaml.Node

    def place(self, path: Sequence[Hashable]) -> Place:
        """Where that stands which `path` leads to, or the nearest thing around it."""
        node, mark = self.root, self.root.start_mark
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return _place(mark)


def parse(text: str) -> Positioned:
    """Parse one YAML document.

    Raises:
        YamlError: it is none, or a key is there twice (YAML itself would let the last one win).
    """
    try:
        return _parsed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(str(error.problem or error.context), _place(mark) if mark else BEGINNING) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error)) from error
    except ValueError as error:  # such as a date that the calendar does not have
        raise YamlError(str(error)) from error


def _parsed(text: str) -> Positioned:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise YamlError("the file is empty")
        _refuse_duplicates(root)
        return Positioned(loader.construct_document(root), root)
    finally:
        loader.dispose()


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


def _child(node: yaml.Node, step: Hashable) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark, item
    return None


def _refuse_duplicates(root: yaml.Node) -> None:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias leads back
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for key, value in node.value:
                if key.value in names:
                    raise YamlError(f"{key.value} is there twice", _place(key.start_mark))
                if isinstance(key, yaml.ScalarNode):
                    names.add(key.value)
                waiting.append(value)
