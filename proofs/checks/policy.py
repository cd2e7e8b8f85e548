"""Policy: no policy gives what is not metadata. Walked in the running relay, and on mutants of every policy that is shipped."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindrelay.policies import engine
from blindrelay.policies.findings import PacksRejected
from blindrelay.policies.locations import pack_folders
from blindrelay.policies.packs import Policies
from blindrelay.policies.reading import INVARIANTS
from blindrelay.policies.sources import PolicySource, split
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.lattice import nothing_permits, walk
from blindrelay.proofs.evidence.scope import Stage

#: The quick run takes one mutant of so many.
_QUICK: Final = 12
_CONDITION: Final = "when { context.offence_max_years > 4 }"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One policy of one pack, changed. `text` None: it is left out."""

    pack: Path
    file: Path
    policy: PolicySource
    what: str
    text: str | None


def examine(evidence: Evidence, report: Report) -> None:
    """What the running relay has answered, then mutants."""
    walked = evidence.manifest.policies
    report.examined("decisions of the running relay", walked.get("decisions", 0))
    report.examined("classes that it decided about", walked.get("classes", 0))
    report.examined("classes that it gave", walked.get("given", 0))
    report.examined("policy sets evaluated in part", walked.get("partial", 0))
    for reason, texts in walked.get("found", {}).items():
        for text in texts:
            report.find(reason, text)
    shipped = Policies.load(list(pack_folders()))
    if walked.get("digest") != shipped.digest or walked.get("packs") != sorted(shipped.packs):
        report.find("other-policies", f"the relay decides by {walked.get('packs')}, and not by what is shipped")
    if evidence.scope.wants("mutant-gives"):
        mutants(report, every=_QUICK if evidence.quick else 1)


# --- mutants


def mutants(report: Report, *, every: int = 1) -> None:
    """Change one policy after the other: the loader refuses, or nothing but metadata is given all the same."""
    with tempfile.TemporaryDirectory(prefix="blindrelay-mutants-") as folder:
        for number, mutant in enumerate(_mutants()):
            if number % every == 0:
                _try(mutant, Path(folder) / str(number), report)


def _try(mutant: Mutant, folder: Path, report: Report) -> None:
    report.examined("mutants of policies")
    try:
        policies = Policies.load(_changed(mutant, folder))
    except PacksRejected:
        report.examined("mutants that do not load")
        return
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    name = f"{mutant.policy.file}:{mutant.policy.line}, {mutant.what}"
    if mutant.pack.name == INVARIANTS:
        report.find("mutant-loads", f"{name}: a relay starts with changed invariants")
    found = walk(policies, lambda request, facts: engine.decide(request, facts, policies), quick=True)
    report.examined("decisions under mutants", found.decisions)
    for reason in found.found.keys() - {"no-reason", "abroad"}:
        report.find("mutant-gives", f"{name}: {found.found[reason][0]}")
    for text in nothing_permits(policies, lambda request, facts: engine.decide(request, facts, policies)):
        report.find("mutant-gives", f"{name}: {text}")


def _changed(mutant: Mutant, folder: Path) -> list[Path]:
    """The pack with the change, and the invariants."""
    folders = []
    for pack in {mutant.pack, next(each for each in pack_folders() if each.name == INVARIANTS)}:
        copy = folder / pack.name
        shutil.copytree(pack, copy, ignore=shutil.ignore_patterns("scenarios"))
        folders.append(copy)
    path = folder / mutant.pack.name / mutant.file.name
    text = path.read_text(encoding="utf-8")
    assert mutant.policy.text in text  # noqa: S101 - it was cut out of it
    path.write_text(text.replace(mutant.policy.text, mutant.text or "", 1), encoding="utf-8")
    return folders


def _mutants() -> Iterator[Mutant]:
    for pack in sorted(pack_folders()):
        for file in sorted(pack.glob("*.cedar")):
            for policy in split(file.read_text(encoding="utf-8"), f"{pack.name}/{file.name}"):
                if re.search(r"\b(permit|forbid)\s*\(", policy.text):
                    for what, text in _changes(policy.text):
                        if text != policy.text:
                            yield Mutant(pack, file, policy, what, text)


def _changes(text: str) -> Iterator[tuple[str, str | None]]:
    yield "left out", None
    for effect, other in (("forbid", "permit"), ("permit", "forbid")):
        if re.search(rf"\b{effect}\s*\(", text):
            yield f"{effect} made a {other}", re.sub(rf"\b{effect}(\s*\()", rf"{other}\1", text, count=1)
    if re.search(r"\bforbid\s*\(", text):
        yield "made to depend on something", re.sub(r"\)\s*;\s*$", f") {_CONDITION};", text)
        yield "narrowed to one authority", re.sub(r"\bprincipal\s*,", 'principal == Authority::"x",', text, count=1)
    else:
        yield "without its conditions", re.sub(r"\bwhen\s*\{.*\}\s*;\s*$", ";", text, flags=re.DOTALL)
    for entity in ("Content", "Keys", "Bulk", "Capability"):
        yield f"about {entity}", re.sub(r"resource\s+is\s+\w+", f"resource is {entity}", text, count=1)
    yield "about any resource", re.sub(r"resource\s+is\s+\w+", "resource", text, count=1)
    yield "about any action", re.sub(r'action\s*(==|in)\s*(\[[^\]]*\]|Action::"\w+")', "action", text, count=1)
    demand = re.sub(r'action\s*(==|in)\s*(\[[^\]]*\]|Action::"\w+")', 'action == Action::"demand"', text, count=1)
    yield "about what is never given", re.sub(r"resource\s+is\s+\w+", "resource is Content", demand, count=1)


CHECK: Final = Check(
    name="policy",
    lock=Lock.POLICY,
    title="no policy grants content, keys, everybody's data or a capability: in the running relay, in mutants of each policy",
    reasons={
        "content-granted": "a decision gives content or keys",
        "bulk-granted": "a decision gives data about everybody",
        "capability-granted": "a decision builds something",
        "abroad": "a decision gives data of another jurisdiction's people",
        "widened": "a decision gives more time, or others, than was asked for",
        "default-allow": "a decision gives something that no policy permits",
        "not-forbidden": "a policy set does not forbid content, keys, bulk or capabilities to everybody, whatever is missing",
        "no-reason": "a decision has no reason",
        "other-policies": "the relay decides by other policies than it should",
        "mutant-loads": "a relay starts with changed invariants",
        "mutant-gives": "a changed policy loads, and gives what no policy may",
    },
    needs=(
        "decisions of the running relay",
        "classes that it gave",
        "policy sets evaluated in part",
        "mutants of policies",
        "mutants that do not load",
    ),
    enough=(Stage.LEAVE,),
    examine=examine,
)
