"""What a policy's syntax tree says about its scope: which actions, which data classes, under which instruments.

It is read from the text and decides nothing: lint warns by it, and a refusal names by it what would have been enough.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from cedarpy import pst

from blindrelay.policies.cedar import DATA_ACTIONS, RECORDS
from blindrelay.policies.vocabulary import DataClass

_CLASS_OF: Final = {name: data_class for data_class, name in RECORDS.items()}


def resource_type(tree: pst.Template) -> str | None:
    """The one entity type that the scope allows; None where it leaves that open."""
    match tree.resource:
        case pst.ScopeIs(entity_type) | pst.ScopeIsIn(entity_type, _):
            return str(entity_type)
        case pst.ScopeEq(pst.EntityUid(type=entity_type)):
            return str(entity_type)
    return None


def actions(tree: pst.Template) -> frozenset[str]:
    """The actions that the scope names; none where it leaves that open."""
    match tree.action:
        case pst.ActionEq(entity):
            return frozenset({entity.id})
        case pst.ActionIn(entities):
            return frozenset(entity.id for entity in entities)
    return frozenset()


def classes(tree: pst.Template) -> frozenset[DataClass]:
    """Data classes that a policy is about: those of its scope, or of its condition, or all that its action has."""
    if not actions(tree) & DATA_ACTIONS:
        return frozenset()
    named = resource_type(tree)
    types = {named} if named else {str(node.entity_type) for node in walk(tree.clauses) if isinstance(node, pst.Is)}
    return frozenset(_CLASS_OF[name] for name in types if name in _CLASS_OF) or frozenset(RECORDS)


def instruments(tree: pst.Template) -> frozenset[str]:
    """Ids that a condition compares `context.id` with: `context.id == "x"`, `["x", "y"].contains(context.id)`."""
    return frozenset(_instruments(tree))


def attributes(tree: pst.Template) -> frozenset[str]:
    """Attributes of the context that a condition reads."""
    context = pst.Var(name="context")
    return frozenset(node.attr for node in walk(tree.clauses) if isinstance(node, pst.GetAttr) and node.base == context)


def numbers(tree: pst.Template) -> frozenset[int]:
    """Numbers that a condition names."""
    return frozenset(node.value for node in walk(tree.clauses) if isinstance(node, pst.LongLit))


def variables(tree: pst.Template) -> frozenset[str]:
    """Which of principal, action, resource and context a condition reads."""
    return frozenset(node.name for node in walk(tree.clauses) if isinstance(node, pst.Var))


def walk(node: Any) -> Iterator[Any]:
    """Every node below `node`, itself included."""
    if isinstance(node, tuple):
        for each in node:
            yield from walk(each)
    elif isinstance(node, dict):
        for each in node.values():
            yield from walk(each)
    elif is_dataclass(node):
        yield node
        for field in fields(node):
            yield from walk(getattr(node, field.name))


def _instruments(tree: pst.Template) -> Iterator[str]:
    for node in walk(tree.clauses):
        match node:
            case pst.BinaryOp("eq", left, pst.StringLit(value)) if _is_context_id(left):
                yield value
            case pst.BinaryOp("eq", pst.StringLit(value), right) if _is_context_id(right):
                yield value
            case pst.BinaryOp("contains", pst.Set(elements), right) if _is_context_id(right):
                yield from (element.value for element in elements if isinstance(element, pst.StringLit))


def _is_context_id(node: object) -> bool:
    return node == pst.GetAttr(base=pst.Var(name="context"), attr="id")
