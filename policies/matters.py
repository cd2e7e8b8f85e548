"""What the policies of a pack look at, so that a comparison varies that and nothing that could make no difference."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cedarpy import policies_to_pst, pst

from blindrelay.policies.packs import Pack
from blindrelay.policies.trees import instruments, walk

_ROOTS: Final = frozenset({"principal", "action", "resource", "context"})
_JURISDICTION_LENGTH: Final = 2


@dataclass(frozen=True, slots=True)
class LookedAt:
    """Which attributes conditions read, and the values that they are compared with.

    Attributes:
        attributes: `context.purpose`, `resource.tenant`, ...
        years: highest penalties at and just below every number that a policy names; None stands for "not stated".
        tenants: that a policy names.
        jurisdictions: that a policy names, where it looks at those of a tenant.
    """

    attributes: frozenset[str]
    years: tuple[int | None, ...]
    tenants: tuple[str, ...]
    jurisdictions: tuple[str, ...]


def looked_at(packs: Iterable[Pack], instrument_id: str) -> LookedAt:
    """What the policies of these packs look at, together, as far as they can be about an instrument."""
    attributes: set[str] = set()
    numbers: set[int] = set()
    tenants: set[str] = set()
    jurisdictions: set[str] = set()
    for tree in _trees(packs, instrument_id):
        nodes = list(walk(tree.clauses))
        read = {f"{node.base.name}.{node.attr}" for node in nodes if _is_read(node)}
        texts = {node.value for node in nodes if isinstance(node, pst.StringLit)}
        attributes |= read
        if "context.offence_max_years" in read:
            numbers |= {node.value for node in nodes if isinstance(node, pst.LongLit)}
        if "resource.tenant" in read:
            tenants |= {text for text in texts if "." in text and "/" not in text}
        if "resource.jurisdictions" in read:
            jurisdictions |= {text for text in texts if len(text) == _JURISDICTION_LENGTH}
    years = sorted({year for number in numbers for year in (number - 1, number, number + 1) if 0 <= year <= 100})
    return LookedAt(frozenset(attributes), (None, *years), tuple(sorted(tenants)), tuple(sorted(jurisdictions)))


def _trees(packs: Iterable[Pack], instrument_id: str) -> Iterator[pst.Template]:
    for pack in packs:
        for policy in pack.policies:
            for tree, named in _parsed(policy.text.text):
                if not named or instrument_id in named:
                    yield tree


@lru_cache(maxsize=1_024)
def _parsed(text: str) -> tuple[tuple[pst.Template, frozenset[str]], ...]:
    """Each policy's tree, with the instruments that it names."""
    return tuple((tree, instruments(tree)) for tree in policies_to_pst(text).static_policies.values())


def _is_read(node: Any) -> bool:
    return isinstance(node, pst.GetAttr) and isinstance(node.base, pst.Var) and node.base.name in _ROOTS
