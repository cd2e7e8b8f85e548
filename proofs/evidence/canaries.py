"""Canaries: what people write and what keys are, made so that they are recognised anywhere.

Every text of a run holds the run's tag, sixty random bits that are nowhere by chance, followed by the canary's number; a long
text holds it again and again. So one search for the tag finds all texts, and the number says which it was. Keys are random by
themselves and are searched for as they are.
"""

import secrets
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

# Thirty-two letters that nothing escapes, folds or refuses: not in URLs, JSON, file names or passphrases.
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
TAG_LENGTH: Final = 12
_NUMBER: Final = 3
# What stands behind the number: base64 loses up to three characters at an end.
_END: Final = "end"


class Kind(StrEnum):
    """What a canary is."""

    BODY = "body of a message"
    SUBJECT = "subject"
    ATTACHMENT = "attachment"
    ATTACHMENT_NAME = "name of an attachment"
    GROUP_NAME = "name of a group"
    DISPLAY_NAME = "display name"
    SEARCH_TERM = "search term"
    PASSPHRASE = "passphrase"  # noqa: S105 - what it is, not one
    PRIVATE_KEY = "private key"
    SESSION_KEY = "session key"
    TOKEN = "token"  # noqa: S105
    KNOWN = "known text"

    @property
    def is_key(self) -> bool:
        """Whether it is bytes that nobody has chosen."""
        return self in {Kind.PRIVATE_KEY, Kind.SESSION_KEY, Kind.TOKEN}

    @property
    def is_tagged(self) -> bool:
        """Whether it is a text of the run, and holds its tag."""
        return not self.is_key and self is not Kind.KNOWN

    @property
    def passes_through(self) -> bool:
        """Whether the relay is shown it, in TLS, and must not keep it: a delivery token, which it compares with a digest."""
        return self is Kind.TOKEN


class Canary(BaseModel):
    """Something that must be nowhere but where it belongs.

    Attributes:
        number: names it within its run.
        about: whose it is, for people.
        value: the secret itself; of a text, the tag with the number.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    number: int
    kind: Kind
    about: str
    value: Annotated[bytes, Field(min_length=TAG_LENGTH, repr=False)]

    def __str__(self) -> str:
        return f"canary {self.number}, {self.kind}: {self.about}"


class Registry:
    """The canaries of a run, in the order in which they were planted."""

    def __init__(self) -> None:
        self.tag = "".join(secrets.choice(_ALPHABET) for _ in range(TAG_LENGTH))
        self.planted: list[Canary] = []

    def text(self, kind: Kind, about: str, length: int = 0, words: str = "") -> str:
        """Plant a text: `words`, then the canary as often as it takes to fill `length` characters, once at least."""
        number = len(self.planted)
        token = f"{self.tag}{number:0{_NUMBER}}{_END}"
        self.planted.append(Canary(number=number, kind=kind, about=about, value=token.encode()))
        text = f"{words} {token}".strip()
        more = f" {token}" * (max(0, length - len(text)) // len(token) + 1)
        return (text + more)[: max(length, len(text))]

    def secret(self, kind: Kind, about: str, value: bytes) -> None:
        """Plant a key. One that is planted already is not planted twice."""
        if all(canary.value != value for canary in self.planted):
            self.planted.append(Canary(number=len(self.planted), kind=kind, about=about, value=value))
