"""Packs that have been loaded: what a decision is made with.

Nothing is loaded by halves. If one policy of one pack is wrong, there are no policies, and `PacksRejected` says what and where.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Self

from blindrelay.policies import trees
from blindrelay.policies.cedar import Evaluator, Policy, schema_text
from blindrelay.policies.findings import Finding, PacksRejected
from blindrelay.policies.lint import read_and_check
from blindrelay.policies.manifest import AnswerWithin, Gag, Instrument, Manifest, Preserve
from blindrelay.policies.reading import INVARIANTS, PackDraft
from blindrelay.policies.vocabulary import DataClass

__all__ = [
    "AnswerWithin",
    "Gag",
    "Instrument",
    "Manifest",
    "Pack",
    "PacksRejected",
    "Policies",
    "Preserve",
]


@dataclass(frozen=True, slots=True)
class Reads:
    """Attributes of the context that policies look at, and the numbers that they compare them with."""

    attributes: frozenset[str] = frozenset()
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Pack:
    """One jurisdiction: what its law reaches, and what its policies permit of it.

    Attributes:
        policies: its own, without the invariants.
        evaluator: its own and the invariants, together: no other pack has a say.
        permits: instruments that a policy names for an action and a class.
        reads: what those policies look at, by action, class and instrument. Both are for explanations; Cedar decides.
        lines: line of each instrument in the manifest.
        shown_manifest: path of the manifest, as a reason shows it.
    """

    manifest: Manifest
    policies: tuple[Policy, ...]
    evaluator: Evaluator = field(compare=False, repr=False)
    permits: Mapping[tuple[str, DataClass], frozenset[str]] = field(repr=False)
    reads: Mapping[tuple[str, DataClass, str], Reads] = field(repr=False)
    lines: Mapping[str, int] = field(repr=False)
    shown_manifest: str

    def location(self, instrument_id: str) -> str:
        """Where an instrument's row stands: `packs/us/manifest.yaml:40`."""
        return f"{self.shown_manifest}:{self.lines.get(instrument_id, 1)}"


@dataclass(frozen=True)
class Policies:
    """All packs, and the digest by which a decision says what it was made with.

    Attributes:
        packs: by jurisdiction.
        invariants: what holds for everyone.
        digest: SHA-256 in hex over schema, manifests and policy files.
        warnings: what lint had to say that is no error.
    """

    packs: Mapping[str, Pack]
    invariants: tuple[Policy, ...]
    digest: str
    warnings: tuple[Finding, ...] = ()

    @classmethod
    def load(cls, paths: Sequence[Path] | None = None) -> Self:
        """Read, check and parse packs.

        Args:
            paths: folders of a pack each, or folders that hold such folders; None: the packs that are shipped. The invariants
                are there in any case.

        Raises:
            PacksRejected: something is wrong with one of them.
        """
        drafts = read_and_check(paths)
        findings = tuple(sorted(finding for draft in drafts for finding in draft.findings))
        if any(finding.is_error for finding in findings):
            raise PacksRejected(findings)
        invariants = tuple(each.policy for draft in drafts if draft.name == INVARIANTS for each in draft.drafts)
        packs = {draft.name: _pack(draft, draft.manifest, invariants) for draft in drafts if draft.manifest is not None}
        return cls(MappingProxyType(packs), invariants, _digest(drafts), findings)

    @cached_property
    def everywhere(self) -> Evaluator:
        """The invariants alone: for a demand under an instrument that no pack knows."""
        return Evaluator(self.invariants)

    def pack_of(self, instrument_id: str) -> Pack | None:
        """The pack that an instrument's id names."""
        return self.packs.get(instrument_id.partition("/")[0])


def _pack(draft: PackDraft, manifest: Manifest, invariants: tuple[Policy, ...]) -> Pack:
    own = tuple(each.policy for each in draft.drafts)
    lines = {instrument.id: draft.place_of_instrument(instrument.id)[0] for instrument in manifest.instruments}
    evaluator = Evaluator((*invariants, *own))
    reads = _reads(draft)
    permits: dict[tuple[str, DataClass], frozenset[str]] = {}
    for action, data_class, instrument in reads:
        permits[action, data_class] = permits.get((action, data_class), frozenset()) | {instrument}
    return Pack(
        manifest,
        own,
        evaluator,
        MappingProxyType(permits),
        MappingProxyType(reads),
        MappingProxyType(lines),
        draft.shown_manifest,
    )


def _reads(draft: PackDraft) -> dict[tuple[str, DataClass, str], Reads]:
    found: dict[tuple[str, DataClass, str], Reads] = {}
    for each in draft.drafts:
        if each.policy.effect != "permit":
            continue
        for key in product(trees.actions(each.tree), trees.classes(each.tree), trees.instruments(each.tree)):
            so_far = found.get(key, Reads())
            attributes, numbers = trees.attributes(each.tree), trees.numbers(each.tree)
            found[key] = Reads(so_far.attributes | attributes, so_far.numbers | numbers)
    return found


def _digest(drafts: Sequence[PackDraft]) -> str:
    digest = hashlib.sha256(schema_text().encode())
    for name, content in sorted((name, content) for draft in drafts for name, content in draft.content.items()):
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
