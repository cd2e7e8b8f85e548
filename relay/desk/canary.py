"""The warrant canary: a signed statement, from time to time, of which requests have *not* been received.

It is dropped and never falsified: a jurisdiction is named for as long as the case file has no request of it with an order not
to tell, and not again after the first. That a jurisdiction is no longer named, or that no new statement comes, is for readers
to draw their own conclusions from.

What it is not: proof. It says nothing about what the relay was forced to say, about requests that went to an enterprise or to a
network instead, or about a jurisdiction whose law forbids even to deny that there was a request: there it is silent from the
beginning (`FORBIDDEN`). Whether a court would let a statement lapse is not settled; a lawyer is to be asked before the first.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Final, Literal

from cryptography import x509
from pydantic import Field

from blindrelay.protocol.certificates import public_key
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.statements import Purpose, Signed, Wire
from blindrelay.relay.desk.case import Case

#: How long a statement holds, unless its maker says otherwise: a month, and some days to make the next one.
VALID: Final = timedelta(days=35)

#: Where the law forbids to say whether there was a request, and so to say that there was none. Mark U: see the reference.
FORBIDDEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uk": "Investigatory Powers Act 2016, s.57 and s.255(8): the existence of a warrant or notice is not to be disclosed"
    }
)

_EXPLANATION: Final = (
    "A jurisdiction that is not named is one of which this relay says nothing: it may never have been named, the law there may "
    "forbid to say that there was no request, or it can no longer be said. A statement holds up to its last day. This is no "
    "proof and no legal advice."
)

Country = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class Canary(Wire):
    """Until `issued_at`, this relay had received no request with an order not to tell of it from any of `jurisdictions`."""

    version: Literal["blindrelay-canary-1"] = "blindrelay-canary-1"
    relay: Annotated[str, Field(max_length=64)]
    issued_at: Annotated[int, Field(ge=0, lt=2**53)]
    valid_until: Annotated[int, Field(ge=0, lt=2**53)]
    jurisdictions: Annotated[tuple[Country, ...], Field(max_length=300)]
    explanation: Annotated[str, Field(max_length=1_000)] = _EXPLANATION


def can_be_said(cases: Iterable[Case], jurisdiction: str) -> bool:
    """Whether it is true of a jurisdiction, and may be said."""
    if jurisdiction in FORBIDDEN:
        return False
    return not any(_forbids_telling(case) for case in cases if case.request.authorisation.jurisdiction == jurisdiction)


def statement(
    cases: list[Case], jurisdictions: Iterable[str], *, relay: str, now: datetime, valid: timedelta = VALID
) -> Canary:
    """What can be said now. Of the jurisdictions those are left out of which it cannot be said, without a word about why."""
    return Canary(
        relay=relay,
        issued_at=int(now.timestamp()),
        valid_until=int((now + valid).timestamp()),
        jurisdictions=tuple(each for each in sorted(set(jurisdictions)) if can_be_said(cases, each)),
    )


def sign(canary: Canary, signer: Callable[[bytes], bytes]) -> Signed:
    """The statement as it is published."""
    return Signed.create_with(Purpose.CANARY, canary, signer)


def check(signed: Signed, certificate: x509.Certificate, now: datetime) -> Canary:
    """What a published statement says.

    Raises:
        VerificationFailed: it is not signed by the desk of this certificate (`canary`), or its time is over or has not come
            (`validity`).
        Malformed: it is signed, and no statement.
    """
    canary = signed.open_as(Purpose.CANARY, Canary, public_key(certificate))
    if not canary.issued_at <= now.timestamp() < canary.valid_until:
        raise VerificationFailed("validity", f"it held until {_day(canary.valid_until)}, and has lapsed")
    return canary


def text(canary: Canary) -> str:
    """The statement in words, Markdown."""
    names = ", ".join(canary.jurisdictions)
    said = (
        f"has received no request from an authority of any of these jurisdictions that came with an order not to tell of it: "
        f"**{names}**."
        if names
        else "makes no statement about any jurisdiction."
    )
    return (
        f"# Statement of {_day(canary.issued_at)}\n\n"
        f"Until {_day(canary.issued_at)} the relay `{canary.relay}` {said}\n\n"
        f"It holds until {_day(canary.valid_until)}.\n\n{canary.explanation}\n"
    )


def _forbids_telling(case: Case) -> bool:
    if case.is_test:
        return False
    by_statute = case.decision is not None and case.decision.notice_is_open
    return by_statute or case.request.authorisation.non_disclosure is not None


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%d %B %Y}"


def parse(data: bytes) -> Signed:
    """A published statement from a file; raise `Malformed`."""
    try:
        return Signed.model_validate_json(data)
    except ValueError as error:
        raise Malformed(
            "this is no signed statement: expected the file that `blindrelay report canary` writes"
        ) from error
