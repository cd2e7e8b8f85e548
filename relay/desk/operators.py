"""Who works at the desk: named persons, each with a token of their own.

A token is 32 random bytes, given out once; the case file holds its SHA-256. What a person does is written down with the name.
"""

import hmac
import secrets
import threading
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from blindrelay.policies.request import Document
from blindrelay.relay.desk.errors import RegisterError, UnknownOperator
from blindrelay.relay.desk.journal import Journal, Subject

_TOKEN_BYTES: Final = 32

OperatorName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]


class OperatorEntered(Document):
    """A person works here from now on."""

    step: Literal["operator-entered"] = "operator-entered"
    name: OperatorName
    token_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class OperatorStruck(Document):
    """A person works here no more."""

    step: Literal["operator-struck"] = "operator-struck"
    name: OperatorName


class Operators:
    """The persons. What another process has entered is seen at the next look."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._seen = 0
        self._digests: dict[str, str] = {}

    def names(self) -> list[str]:
        """Everybody who works here."""
        return sorted(self._current())

    def add(self, name: str, *, at: datetime) -> str:
        """Take somebody on; returns the token, which is not kept. Raises `RegisterError` for a name that is taken or none."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        try:
            entry = OperatorEntered(name=name, token_sha256=_digest(token))
        except ValueError as error:
            raise RegisterError(f"{name!r} is no name for an operator: lower-case letters, digits, . _ -") from error
        if name in self._current():
            raise RegisterError(f"there is an operator {name} already: one person, one name, one token")
        self._journal.append(Subject.REGISTER, "", at, entry.step, entry.model_dump_json())
        return token

    def strike(self, name: str, *, at: datetime) -> None:
        """Somebody leaves: the token is worth nothing from now on. Raises `RegisterError` for who is not here."""
        if name not in self._current():
            raise RegisterError(f"there is no operator {name}")
        entry = OperatorStruck(name=name)
        self._journal.append(Subject.REGISTER, "", at, entry.step, entry.model_dump_json())

    def authenticate(self, token: str) -> str:
        """Whose token this is. Raises `UnknownOperator`."""
        digest = _digest(token)
        found = None
        for name, known in self._current().items():
            if hmac.compare_digest(known, digest):
                found = name
        if found is None:
            raise UnknownOperator
        return found

    def _current(self) -> dict[str, str]:
        with self._lock:
            if self._journal.last_sequence(Subject.REGISTER) != self._seen:
                for row in self._journal.rows(Subject.REGISTER)[self._seen :]:
                    if row.step == "operator-entered":
                        entered = OperatorEntered.model_validate_json(row.body)
                        self._digests[entered.name] = entered.token_sha256
                    elif row.step == "operator-struck":
                        self._digests.pop(OperatorStruck.model_validate_json(row.body).name, None)
                    self._seen = row.sequence
            return dict(self._digests)


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
