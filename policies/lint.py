"""Whether packs may be loaded: form, types, and the traps that Cedar itself does not see.

A policy that would disclose content has no type in the schema (lock 2); a policy that names no type at all would have one,
so that is refused here. A `forbid` with a condition can vanish: Cedar skips a policy whose evaluation fails.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cedarpy import pst

from blindrelay.policies import trees
from blindrelay.policies.cedar import DATA_ACTIONS, FORBIDDEN, RECORDS, SERVICE_ACTIONS, Evaluator, validation_errors
from blindrelay.policies.findings import BEGINNING, Finding, Place
from blindrelay.policies.locations import pack_folders
from blindrelay.policies.manifest import Manifest
from blindrelay.policies.reading import INVARIANTS, Draft, PackDraft, read_pack
from blindrelay.policies.vocabulary import Mode, Scope

_MODE_OF: Final = {"disclose": Mode.STORED, "preserve": Mode.PRESERVE, "stream": Mode.STREAM}
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_UNHELD: Final = frozenset(FORBIDDEN)


def lint(paths: Sequence[Path] | None = None) -> tuple[Finding, ...]:
    """All that is wrong with these packs, or with those that are shipped.

    Args:
        paths: folders of a pack each, or folders that hold such folders.
    """
    return tuple(sorted(finding for draft in read_and_check(paths) for finding in draft.findings))


def read_and_check(paths: Sequence[Path] | None = None) -> list[PackDraft]:
    """Read packs, the shipped invariants among them unless `paths` has its own, and find what is wrong with them."""
    drafts = [read_pack(folder) for folder in pack_folders(paths)]
    for draft in drafts:
        _check_ids(draft)
        for each in draft.drafts:
            _check_policy(draft, each)
        if draft.name == INVARIANTS:
            _check_invariants(draft)
        elif draft.manifest is not None:
            _check_against_manifest(draft, draft.manifest)
    return drafts


def _check_ids(draft: PackDraft) -> None:
    count = Counter(each.policy.id for each in draft.drafts)
    for each in draft.drafts:
        name = each.tree.annotations.get("id", "")
        if name and not _ID.fullmatch(name):
            _error(draft, each, "annotation", f"@id is {name}: it takes lower-case letters, digits and hyphens")
        if name and count[each.policy.id] > 1:
            _error(
                draft,
                each,
                "duplicate-id",
                f'@id("{name}") is there {count[each.policy.id]} times: a decision names it',
            )


def _check_policy(draft: PackDraft, each: Draft) -> None:
    if each.policy.effect == "permit":
        reached = trees.resource_type(each.tree)
        if reached in _UNHELD:
            message = f"would disclose {reached}: nothing permits that, and the schema has no action for it"
            draft.error(
                each.policy.text.file, each.policy.text.place_of(reached), "discloses-content", message, each.policy.id
            )
            return
        _check_permit(draft, each)
    elif each.tree.clauses:
        _check_conditional_forbid(draft, each)
    for error in validation_errors(each.policy.text.text):
        message = error.removeprefix("for policy `policy0`, ")
        draft.error(each.policy.text.file, _place_of_fault(each, message), "schema", message, each.policy.id)


def _check_permit(draft: PackDraft, each: Draft) -> None:
    actions = trees.actions(each.tree)
    if draft.name == INVARIANTS:
        _error(draft, each, "permits", "the invariants forbid; what is permitted stands in a jurisdiction's pack")
    elif not actions:
        message = 'names no action, so that it would disclose content: write action == Action::"disclose"'
        _error(draft, each, "discloses-content", message)
    elif "demand" in actions:
        message = 'permits what is never held or granted: Action::"demand" is there to be forbidden'
        _error(draft, each, "discloses-content", message, at='Action::"demand"')
    elif not actions & (DATA_ACTIONS | SERVICE_ACTIONS):
        _error(draft, each, "unknown-action", f"unknown action: {', '.join(sorted(actions))}")


def _check_conditional_forbid(draft: PackDraft, each: Draft) -> None:
    if draft.name == INVARIANTS:
        message = "an invariant has no condition: Cedar skips a forbid whose condition cannot be evaluated"
        _error(draft, each, "conditional-forbid", message)
    elif reads := trees.variables(each.tree) - {"resource"}:
        message = (
            f"a forbid with a condition on {' and '.join(sorted(reads))} can vanish where that cannot be evaluated; the engine "
            "denies then, another Cedar host would not: better a permit that is narrower"
        )
        draft.warning(each.policy.text.file, each.policy.text.place, "conditional-forbid", message, each.policy.id)


def _check_invariants(draft: PackDraft) -> None:
    unconditional = {
        trees.resource_type(each.tree)
        for each in draft.drafts
        if each.policy.effect == "forbid"
        and not each.tree.clauses
        and isinstance(each.tree.principal, pst.ScopeAny)
        and isinstance(each.tree.resource, pst.ScopeIs)
        and "demand" in trees.actions(each.tree)
    }
    for missing in sorted(_UNHELD - unconditional):
        rule = f'forbid (principal, action == Action::"demand", resource is {missing});'
        message = f"{missing} is not forbidden for everyone: {rule}"
        draft.error(f"packs/{INVARIANTS}/", BEGINNING, "invariant", message)
    if any(finding.is_error for finding in draft.findings):
        return
    evaluator = Evaluator([each.policy for each in draft.drafts])
    for entity_type in FORBIDDEN:
        if not evaluator.is_forbidden_for_everyone(entity_type):  # what Cedar itself says, with everything else unknown
            draft.error(
                f"packs/{INVARIANTS}/",
                BEGINNING,
                "invariant",
                f"{entity_type} is not denied for every authority and instrument",
            )


def _check_against_manifest(draft: PackDraft, manifest: Manifest) -> None:
    permitted: set[str] = set()
    for each in draft.drafts:
        if each.policy.effect != "permit":
            continue
        named = sorted(trees.instruments(each.tree))
        permitted.update(named)
        if not named:
            _error(
                draft,
                each,
                "any-instrument",
                'permits under any instrument: compare context.id, as in context.id == "us/subpoena"',
            )
        for instrument_id in named:
            _check_reach(draft, manifest, each, instrument_id)
    for instrument in manifest.instruments:
        reachable = set(instrument.reach) & set(RECORDS) and set(instrument.modes) - {Mode.BUILD}
        is_bulk_only = set(instrument.scopes) == {Scope.ALL_USERS}  # which the invariants refuse
        if ((reachable and not is_bulk_only) or instrument.service) and instrument.id not in permitted:
            place = draft.place_of_instrument(instrument.id)
            message = f"no policy permits anything under {instrument.id}, although it reaches something in law"
            draft.warning(draft.shown_manifest, place, "unused-instrument", message, instrument.id)


def _check_reach(draft: PackDraft, manifest: Manifest, each: Draft, instrument_id: str) -> None:
    instrument = manifest.instrument(instrument_id)
    if instrument is None:
        _error(draft, each, "unknown-instrument", f"{instrument_id} is not in the manifest", at=instrument_id)
        return
    for data_class in sorted(trees.classes(each.tree) - set(instrument.reach)):
        message = f"permits {data_class} under {instrument_id}, which does not reach it according to the manifest"
        _error(draft, each, "beyond-reach", message, at=instrument_id)
    for action in sorted(trees.actions(each.tree) & set(_MODE_OF)):
        if _MODE_OF[action] not in instrument.modes:
            message = f"permits {action} under {instrument_id}, whose modes do not have {_MODE_OF[action]}"
            _error(draft, each, "beyond-reach", message, at=instrument_id)
    for action in sorted(trees.actions(each.tree) & SERVICE_ACTIONS):
        if action not in instrument.service:
            message = f"permits {action} under {instrument_id}, whose service actions do not have it"
            _error(draft, each, "beyond-reach", message, at=instrument_id)


def _error(draft: PackDraft, each: Draft, code: str, message: str, at: str | None = None) -> None:
    place = each.policy.text.place_of(at) if at else each.policy.text.place
    draft.error(each.policy.text.file, place, code, message, each.policy.id)


def _place_of_fault(each: Draft, message: str) -> Place:
    """Where the first name stands that the message quotes, if it stands in the policy."""
    for word in re.findall(r"`([^`]+)`", message):
        if word in each.policy.text.text:
            return each.policy.text.place_of(word)
    return each.policy.text.place
