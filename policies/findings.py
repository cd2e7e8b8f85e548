"""What is wrong with a pack, and where: data for the loader, `blindrelay policy lint`, and an editor."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error keeps the pack from being loaded."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault.

    Attributes:
        file: shown path, such as `packs/us/stored.cedar`.
        line: counted from 1.
        severity: whether it is fatal.
        code: a short name that a program can rely on, such as `discloses-content`.
        message: what is wrong and what to do, for people.
        policy: `@id` of the policy or id of the instrument, where there is one.
    """

    file: str
    line: int
    severity: Severity
    code: str
    message: str
    policy: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether the pack does not load."""
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.message} [{self.code}]"


class PacksRejected(Exception):
    """These packs do not load; nothing is decided by half of a policy.

    Attributes:
        findings: all that is wrong, not only the first.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings if finding.is_error))
        self.findings = findings
