"""Why a call is not carried out, as RFC 9457 wants it said: each kind has one status, one title, and one set of words."""

from enum import Enum
from typing import Final

from blindrelay.policies.exchange import Problem
from blindrelay.relay.desk.errors import NOT_FOUND, DeskError

PREFIX: Final = "urn:blindrelay:problem:"
#: The media type (RFC 9457, 3).
PROBLEM_JSON: Final = "application/problem+json"


class ProblemKind(Enum):
    """Type, status, title, and what is said when there is nothing more to say."""

    MALFORMED = ("malformed", 400, "This is not a call", "expected a JWS in compact form")
    UNAUTHENTICATED = (
        "unauthenticated",
        401,
        "The call is not authenticated",
        "expected an ES256 signature of an enrolled officer, with a valid certificate of a registered authority in x5c",
    )
    STALE = ("stale", 400, "The call is not fresh", "sign the call anew, and check the clock")
    REPLAYED = ("replayed", 409, "The call has been made before", "a jti is used once: sign the call anew")
    WRONG_AUDIENCE = ("wrong-audience", 421, "The call is for another relay", "aud must be this relay's id")
    WRONG_PURPOSE = ("wrong-purpose", 400, "The call is for another purpose", "each address takes one purpose")
    INVALID = ("invalid-document", 422, "The document is not valid", "see the reference for its form")
    CONFLICT = ("conflict", 409, "The request id is taken", "another request has this id: give it another one")
    NOT_FOUND = ("not-found", 404, "There is no such case", NOT_FOUND)
    NO_PACKAGE = ("nothing-to-fetch", 409, "There is nothing to fetch", "nothing has been released for this demand")
    NO_SUCH_ADDRESS = ("no-such-address", 404, "There is nothing here", "see the reference for the addresses")
    METHOD = ("method-not-allowed", 405, "Not by this method", "see the reference for the methods")
    MEDIA_TYPE = ("unsupported-media-type", 415, "Not in this media type", "see the reference for the media types")
    TOO_LARGE = ("too-large", 413, "The call is too large", "a call has 262,144 bytes at most")
    TOO_SLOW = ("too-slow", 408, "The call did not come in time", "send it at once, and again")
    TOO_MANY = ("too-many-requests", 429, "Too many calls", "wait as long as Retry-After says")
    FORBIDDEN = ("forbidden", 403, "Not allowed", "this may not be done by who asks")
    UNAVAILABLE = ("unavailable", 503, "Not now", "the relay cannot do this at the moment: try again later")
    INTERNAL = ("internal", 500, "Something failed in the relay", "its log says where; nothing was disclosed")

    def __init__(self, slug: str, status: int, title: str, detail: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title
        self.detail = detail

    def problem(self, detail: str | None = None) -> Problem:
        """What is sent."""
        return Problem(type=PREFIX + self.slug, title=self.title, status=self.status, detail=detail or self.detail)


class CallRefused(DeskError):
    """A call is not carried out. `detail` is for the caller; `reason` for the case file alone."""

    def __init__(self, kind: ProblemKind, detail: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(detail or kind.detail)
        self.kind = kind
        self.detail = detail
        self.reason = f"{kind.slug}: {reason}" if reason else kind.slug
