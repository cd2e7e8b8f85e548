"""A pack as it lies on disk, read as far as it can be read, with what is wrong with it.

Reading and judging are two things: `lint` looks at what was read here.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Final

import cedarpy
from cedarpy import pst
from pydantic import ValidationError

from blindrelay.policies.cedar import Policy
from blindrelay.policies.findings import BEGINNING, Finding, Place, Severity
from blindrelay.policies.manifest import Manifest
from blindrelay.policies.positions import Positioned, YamlError, parse
from blindrelay.policies.sources import PolicySource, split
from blindrelay.policies.vocabulary import Ground, Mark

MANIFEST: Final = "manifest.yaml"
INVARIANTS: Final = "invariants"


@dataclass(frozen=True, slots=True)
class Draft:
    """One policy that parses, with its syntax tree."""

    policy: Policy
    tree: pst.Template


@dataclass(slots=True)
class PackDraft:
    """What could be read of a pack.

    Attributes:
        name: the folder's, which is the jurisdiction or `invariants`.
        manifest: None where there is none, or none that is valid.
        content: shown path and bytes of each file, for the digest.
    """

    name: str
    folder: Path
    manifest: Manifest | None = None
    positions: Positioned | None = None
    drafts: list[Draft] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    content: dict[str, bytes] = field(default_factory=dict)

    @property
    def shown_manifest(self) -> str:
        """Path of the manifest, as it is shown."""
        return shown(self.folder, MANIFEST)

    def error(self, file: str, place: Place, code: str, message: str, policy: str | None = None) -> None:
        """Something that keeps the pack from being loaded."""
        self.findings.append(Finding(file, *place, Severity.ERROR, code, message, policy))

    def warning(self, file: str, place: Place, code: str, message: str, policy: str | None = None) -> None:
        """Something that a person should look at."""
        self.findings.append(Finding(file, *place, Severity.WARNING, code, message, policy))

    def place_of(self, path: tuple[Hashable, ...]) -> Place:
        """Where a part of the manifest stands."""
        return self.positions.place(path) if self.positions else BEGINNING

    def place_of_instrument(self, instrument_id: str) -> Place:
        """Where an instrument begins."""
        instruments = self.manifest.instruments if self.manifest else ()
        index = next((n for n, instrument in enumerate(instruments) if instrument.id == instrument_id), None)
        return BEGINNING if index is None else self.place_of(("instruments", index))


def shown(folder: Path, name: str) -> str:
    """The path that people see: no machine's folders, so that a decision is the same everywhere."""
    return f"packs/{folder.name}/{name}"


def read_pack(folder: Path) -> PackDraft:
    """Read what is in `folder`. Faults of form become findings; nothing is raised for them."""
    draft = PackDraft(folder.name, folder)
    if folder.name != INVARIANTS:
        _read_manifest(draft)
    for path in sorted(folder.glob("*.cedar")):
        _read_policies(draft, path)
    if not draft.drafts and not draft.findings:
        draft.error(
            shown(folder, ""), BEGINNING, "empty", "the pack has no policy: write one in a file that ends in .cedar"
        )
    return draft


def _read_text(draft: PackDraft, path: Path) -> str | None:
    name = shown(draft.folder, path.name)
    try:
        content = path.read_bytes()
        draft.content[name] = content
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        draft.error(name, BEGINNING, "unreadable", f"cannot be read: {error}")
        return None


def _read_manifest(draft: PackDraft) -> None:
    text = _read_text(draft, draft.folder / MANIFEST)
    if text is None:
        return
    try:
        draft.positions = parse(text)
        manifest = Manifest.model_validate(draft.positions.value)
    except YamlError as error:
        draft.error(draft.shown_manifest, error.place, "manifest", str(error))
        return
    except ValidationError as error:
        for path, message in _invalid(error):
            draft.error(draft.shown_manifest, draft.place_of(path), "manifest", message)
        return
    draft.manifest = manifest
    for path, message in _faults(manifest, draft.name):
        draft.error(draft.shown_manifest, draft.place_of(path), "manifest", message)


def _invalid(error: ValidationError) -> Iterator[tuple[tuple[Hashable, ...], str]]:
    faults = error.errors(include_url=False, include_input=False)
    for fault in faults:
        path = fault["loc"]
        # A list of which an element is wrong is said to be too short, too.
        if fault["type"] == "too_short" and any(
            len(each["loc"]) > len(path) == _common(each["loc"], path) for each in faults
        ):
            continue
        where = ".".join(str(step) for step in path) or "the manifest"
        yield path, f"{where}: {fault['msg'].removeprefix('Value error, ')}"


def _common(one: tuple[Hashable, ...], other: tuple[Hashable, ...]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _faults(manifest: Manifest, name: str) -> Iterator[tuple[tuple[Hashable, ...], str]]:
    """What does not fit together in a manifest of which every part is valid."""
    if manifest.jurisdiction != name:
        yield ("jurisdiction",), f"jurisdiction is {manifest.jurisdiction}, but the folder is called {name}"
    seen: set[str] = set()
    for index, instrument in enumerate(manifest.instruments):
        if not instrument.id.startswith(f"{manifest.jurisdiction}/"):
            yield ("instruments", index, "id"), f"{instrument.id} is not an instrument of {manifest.jurisdiction}"
        if instrument.id in seen:
            yield ("instruments", index, "id"), f"{instrument.id} is there twice"
        seen.add(instrument.id)
        if missing := sorted(set(instrument.sources) - set(manifest.sources)):
            yield ("instruments", index, "sources"), f"names sources that are not listed: {', '.join(missing)}"


def _read_policies(draft: PackDraft, path: Path) -> None:
    text = _read_text(draft, path)
    for source in split(text or "", shown(draft.folder, path.name)):
        try:
            policies = cedarpy.policies_to_pst(source.text)
        except ValueError as error:
            draft.error(source.file, source.place, "syntax", f"this is not a Cedar policy: {error}")
            continue
        if policies.templates:
            draft.error(source.file, source.place, "template", "templates (?principal, ?resource) are not used here")
            continue
        draft.drafts.extend(Draft(_policy(draft, source, tree), tree) for tree in policies.static_policies.values())


def _policy(draft: PackDraft, source: PolicySource, tree: pst.Template) -> Policy:
    """The policy, with its annotations. One that lacks some is an error anyway: what stands in for it decides nothing."""
    notes = tree.annotations
    name = notes.get("id", "").strip()
    for fault in _annotation_faults(notes):
        draft.error(source.file, source.place, "annotation", fault, name or None)
    mark = notes.get("mark")
    if mark is None:
        message = "there is no @mark: the fact counts as unconfirmed (U)"
        draft.warning(source.file, source.place, "mark", message, name or None)
    return Policy(
        id=f"{draft.name}/{name}",
        effect=tree.effect,
        reason=notes.get("reason", ""),
        source=notes.get("source", ""),
        mark=Mark(mark) if mark in set(Mark) else Mark.UNCONFIRMED,
        ground=Ground(notes["ground"]) if notes.get("ground") in set(Ground) else Ground.OUT_OF_REACH,
        text=source,
    )


def _annotation_faults(notes: Mapping[str, str]) -> Iterator[str]:
    for name, what in (
        ("id", "a name"),
        ("reason", "a sentence for a lawyer"),
        ("source", "a statute or 'operator policy'"),
    ):
        if not notes.get(name, "").strip():
            yield f"@{name} is missing: each policy carries {what}"
    if notes.get("mark", "U") not in set(Mark):
        yield f"@mark is {notes['mark']}: it is C (confirmed), S (secondary source) or U (unconfirmed)"
    if notes.get("ground", Ground.BULK) not in set(Ground):
        yield f"@ground is {notes['ground']}: it is one of {', '.join(sorted(Ground))}"
    if unknown := sorted(set(notes) - {"id", "reason", "source", "mark", "ground"}):
        yield f"unknown annotation @{unknown[0]}"
