"""The cases that an authority has open with a desk, as its own folder remembers them: one file each, `cases/<case>.json`.

It is a convenience: the desk's word counts, and a case that is not remembered can still be asked for by its number.
"""

from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from blindrelay.clients.authority.identity import replace
from blindrelay.clients.errors import NotEnrolled, StoreError
from blindrelay.policies.exchange import CaseAnswer
from blindrelay.policies.leaves import Receipt
from blindrelay.protocol.transparency.policy import Trust

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

    def keep_request(self, request_id: UUID, digest: str) -> None:
        """Remember a request as it was signed, by its SHA-256 (hex). Each time that it is handed in it is signed anew."""
        self._make(self._cases)
        signed = self.requests(request_id) | {digest}
        replace(self._cases / f"{request_id}.signed", "".join(f"{each}\n" for each in sorted(signed)).encode())

    def requests(self, request_id: UUID) -> frozenset[str]:
        """What `keep_request` kept; nothing, if it was handed in from elsewhere."""
        try:
            return frozenset((self._cases / f"{request_id}.signed").read_text("ascii").split())
        except FileNotFoundError:
            return frozenset()

    def receipt(self, package: Path) -> Path:
        """Where the receipt of a package is, or is to be, kept."""
        return package.with_suffix(".receipt.json")

    def keep_receipt(self, package: Path, receipt: Receipt) -> None:
        """Keep it beside the package: an auditor wants both. Raises `StoreError`."""
        replace(self.receipt(package), receipt.model_dump_json(indent=2).encode())

    def trust(self, policy: str) -> Trust:
        """By what the log `lawful-access` is verified: the first policy that the relay has given, or the one that somebody has
        put in its place (`log.policy` in the authority's folder). Raises `StoreError`, `Malformed`."""
        path = self._cases.parent / "log.policy"
        if not path.exists():
            replace(path, policy.encode())
        return Trust.parse(path.read_text("utf-8"))

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be made: {error.strerror}") from error
