"""What is wrong with a pack, and where: data for the loader, `blindrelay policy lint`, and an editor."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Line and column, both counted from 1.
Place = tuple[int, int]
BEGINNING: Final[Place] = (1, 1)

#: What to do about a finding, by its code.
ADVICE: Final = {
    "annotation": "Give the policy @id, @reason and @source, and @mark C, S or U.",
    "any-instrument": "Name the instrument in the condition, by its id in the manifest.",
    "beyond-reach": "Take it out of the policy, or, if the law says so, add it to the instrument's row with its source.",
    "conditional-forbid": "Write a narrower permit instead, or a forbid without a condition.",
    "discloses-content": "Take the policy out: subscriber, connection and traffic records are all that a policy can disclose.",
    "duplicate-id": "Give each policy of the pack an @id of its own.",
    "empty": "Write at least one policy, in a file whose name ends in .cedar, beside manifest.yaml.",
    "invariant": "Forbid it without a condition, or leave the shipped invariants as they are.",
    "manifest": "Correct the manifest: docs/reference/policy-packs.md has every field.",
    "mark": "Add @mark: C if you read the statute, S if somebody else's account of it, U if neither.",
    "packs": "Name a folder with a manifest.yaml and .cedar files, or a folder that holds such folders.",
    "permits": "Move the permit into the pack of the jurisdiction whose law it is.",
    "schema": "Use the types, actions and attributes of policies/blindrelay.cedarschema.",
    "syntax": "Correct the policy; it ends with a semicolon, and strings stand in double quotes.",
    "template": "Write the entity, or a condition, in place of the slot.",
    "unknown-action": "Use disclose, preserve, stream, suspend, extend, rescind or resume.",
    "unknown-instrument": "Correct the id, or add the instrument to the manifest.",
    "unreadable": "See to it that the file is there, readable, and UTF-8.",
    "unused-instrument": "Write a policy for it, or take out of its row what it does not reach.",
}


class Severity(StrEnum):
    """An error keeps the pack from being loaded."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault.

    Attributes:
        file: shown path, such as `packs/us/stored.cedar`.
        line, column: counted from 1.
        severity: whether it is fatal.
        code: a short name that a program can rely on, such as `discloses-content`.
        message: what is wrong, for people.
        policy: `@id` of the policy or id of the instrument, where there is one.
    """

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    policy: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether the pack does not load."""
        return self.severity is Severity.ERROR

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.code]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.code}]"


class PacksRejected(Exception):
    """These packs do not load; nothing is decided by half of a policy.

    Attributes:
        findings: all that is wrong, not only the first.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings if finding.is_error))
        self.findings = findings
