"""The cases that an authority has open with a desk, as its own folder remembers them: one file each, `cases/<case>.json`.

It is a convenience: the desk's word counts, and a case that is not remembered can still be asked for by its number.
"""

from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from blindrelay.clients.authority.identity import replace
from blindrelay.clients.errors import NotEnrolled, StoreError
from blindrelay.policies.exchange import CaseAnswer

_CASES, _PACKAGES = "cases", "packages"


class Docket:
    """The remembered cases."""

    def __init__(self, folder: Path) -> None:
        self._cases = folder / _CASES
        self._packages = folder / _PACKAGES

    def keep(self, answer: CaseAnswer) -> None:
        """Remember how a case stands. Raises `StoreError`."""
        self._make(self._cases)
        replace(self._cases / f"{answer.case_id}.json", answer.model_dump_json(indent=2).encode())

    def cases(self) -> list[CaseAnswer]:
        """All that are remembered, the oldest first. Raises `StoreError`."""
        found = []
        try:
            for path in self._cases.glob("*.json"):
                found.append(CaseAnswer.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path} cannot be read: delete it, and ask for the case by its number") from error
        return sorted(found, key=lambda answer: (answer.received_at, answer.case_id))

    def latest(self) -> UUID:
        """The case that was handed in last. Raises `NotEnrolled` when there is none."""
        cases = self.cases()
        if not cases:
            raise NotEnrolled("no case is known here: hand a request in first, or name the case by its number")
        return cases[-1].case_id

    def package(self, case_id: UUID, demand_id: str) -> Path:
        """Where the sealed package of a demand is, or is to be, kept. Raises `StoreError`."""
        self._make(self._packages)
        return self._packages / f"{case_id}-{demand_id}.package"

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be made: {error.strerror}") from error
