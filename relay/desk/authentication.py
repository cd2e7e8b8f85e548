"""Who calls: a JWS of an officer whose certificate the authority's root vouches for, fresh, for us, for this, and new.

What is checked, in this order: the form (three parts of canonical base64url, JSON without duplicate keys), the header (ES256
and nothing else: no `none`, no symmetric algorithm, no key that the caller brings along), the signature, the certificate path
and its dates, the register, and only then what the payload says. Up to the register every failure is the same answer in the
same words, and costs the same whether the authority is registered or not: who is registered is nobody's business.
"""

import binascii
import json
from base64 import b64decode, urlsafe_b64decode
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Annotated, Any, Final, Literal, NoReturn, Protocol, TypeVar

import jwt
from cryptography import x509
from pydantic import Field, StringConstraints, ValidationError

from blindrelay.policies.exchange import MAX_AGE, MAX_AHEAD, MAX_CALL, AnyCall, CallPurpose, RequestCall
from blindrelay.protocol.certificates import load, public_key
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.officers import OfficerName, verify_officer
from blindrelay.protocol.statements import Wire
from blindrelay.relay.desk.problems import CallRefused, ProblemKind
from blindrelay.relay.desk.register import Register

CallT = TypeVar("CallT", bound=AnyCall)

# Only the compact form exists here: the JSON forms of a JWS may hold several signatures (RFC 7515, 7.2), and then somebody
# verifies one and believes the payload of another.
_PARTS: Final = 3
# How long a certificate may be, in base64. Ours have 0.8 kB.
_MAX_CERTIFICATE: Final = 8_192
# How deep a document nests; the request's own model needs five.
_MAX_DEPTH: Final = 16

_ES256: Final = jwt.PyJWS(algorithms=["ES256"])


class Seen(Protocol):
    """What remembers which calls have been made."""

    async def use(self, authority_id: str, call_id: str, now: float) -> bool:
        """Whether this is the first time, durably."""


class _Header(Wire):
    """What a call's header may say. `kid`, `jwk`, `jku`, `crit`, `b64` and whatever else there is are refused."""

    alg: Literal["ES256"]
    typ: Literal["blindrelay-call+jws"]
    x5c: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=_MAX_CERTIFICATE)], ...], Field(min_length=2, max_length=2)
    ]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called: registered, and the signature is his."""

    name: OfficerName

    @property
    def authority_id(self) -> str:
        """The authority's id in the register."""
        return self.name.authority


class Authentication:
    """Checks calls.

    Args:
        register: whose roots count.
        seen: the calls that have been made.
        relay_id: for whom calls must be.
        clock: of freshness and certificates.
    """

    def __init__(self, register: Register, seen: Seen, relay_id: str, clock: Clock) -> None:
        self._register = register
        self._seen = seen
        self._relay_id = relay_id
        self._clock = clock

    def caller(self, token: bytes) -> tuple[Caller, bytes]:
        """Who signed `token`, and the payload that was signed.

        Raises:
            CallRefused: TOO_LARGE, MALFORMED or UNAUTHENTICATED.
        """
        if len(token) > MAX_CALL:
            raise CallRefused(ProblemKind.TOO_LARGE)
        header, payload = _taken_apart(token)
        try:
            leaf, root = (load(_der(text)) for text in header.x5c)
            _ES256.decode(token, key=public_key(leaf), algorithms=["ES256"])
            name = verify_officer(leaf, root, self._clock.now())
        except (Malformed, VerificationFailed, jwt.PyJWTError, ValueError, x509.UnsupportedGeneralNameType) as error:
            raise CallRefused(ProblemKind.UNAUTHENTICATED, reason=type(error).__name__) from error
        registered = self._register.root_of(name.authority)
        # Compared in either case, so that a registered authority costs no other time than one that is not.
        presented = sha256(_der(header.x5c[1])).digest()
        if not compare_digest(presented, sha256(registered or b"").digest()):
            raise CallRefused(ProblemKind.UNAUTHENTICATED, reason="NotRegistered")
        return Caller(name), payload

    async def admit(self, caller: Caller, payload: bytes, kind: type[CallT], purpose: CallPurpose) -> CallT:
        """What a caller asks for, once.

        Raises:
            CallRefused: MALFORMED, WRONG_AUDIENCE, STALE, WRONG_PURPOSE, INVALID or REPLAYED.
        """
        claims = _json(payload)
        if purpose is not CallPurpose.REQUEST:
            self._check_officer(caller)
        self._check_audience(claims)
        self._check_freshness(claims)
        if claims.get("purpose") != purpose.value:
            raise CallRefused(ProblemKind.WRONG_PURPOSE, f"this address takes calls for the purpose {purpose.value!r}")
        try:
            call = kind.model_validate_json(payload)
        except ValidationError as error:
            raise CallRefused(ProblemKind.INVALID, _sentence(error)) from error
        if isinstance(call, RequestCall):
            self._check_request(caller, call)
        # Last, and in one statement: whoever asks whether it is new has used it with that.
        if not await self._seen.use(caller.authority_id, str(call.jti), self._clock.now()):
            raise CallRefused(ProblemKind.REPLAYED)
        return call

    def _check_officer(self, caller: Caller) -> None:
        """Cases are for the officers whom the register names. A request of another one is a signal, which the desk weighs."""
        authority = self._register.authority(caller.authority_id)
        if authority is None or caller.name.officer not in authority.officers:
            raise CallRefused(ProblemKind.UNAUTHENTICATED, reason="NotEnrolled")

    def _check_audience(self, claims: dict[str, Any]) -> None:
        if claims.get("aud") != self._relay_id:
            raise CallRefused(ProblemKind.WRONG_AUDIENCE, f"aud must be {self._relay_id!r}, this relay")

    def _check_freshness(self, claims: dict[str, Any]) -> None:
        issued = claims.get("iat")
        # bool is an int, and no time.
        if not isinstance(issued, int) or isinstance(issued, bool):
            raise CallRefused(ProblemKind.INVALID, "iat: expected a whole number of seconds since 1970")
        age = self._clock.now() - issued
        if not -MAX_AHEAD <= age <= MAX_AGE:
            raise CallRefused(
                ProblemKind.STALE,
                f"iat must be no more than {MAX_AGE} seconds old and {MAX_AHEAD} seconds ahead: sign the call anew, and "
                "check the clock",
            )

    def _check_request(self, caller: Caller, call: RequestCall) -> None:
        request = call.document
        if request.receiver != self._relay_id:
            raise CallRefused(ProblemKind.WRONG_AUDIENCE, f"receiver must be {self._relay_id!r}, this relay")
        if (request.sender, request.officer) != (caller.name.authority, caller.name.officer):
            raise CallRefused(
                ProblemKind.INVALID, "sender and officer must be those of the certificate that signed the request"
            )


def _taken_apart(token: bytes) -> tuple[_Header, bytes]:
    parts = token.split(b".")
    if len(parts) != _PARTS:
        raise CallRefused(ProblemKind.MALFORMED, "expected a JWS in compact form: header.payload.signature")
    header, payload, _ = (_base64url(part) for part in parts)
    fields = _json(header)
    try:
        return _Header.model_validate(fields), payload
    except ValidationError as error:
        # One answer for every header that is not ours, whatever algorithm or key it proposes.
        raise CallRefused(ProblemKind.UNAUTHENTICATED, reason="Header") from error


def _base64url(part: bytes) -> bytes:
    """Decode; only the one spelling that RFC 7515, 2, has for these bytes counts."""
    try:
        decoded = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        decoded = b""
    if not decoded or binascii.b2a_base64(decoded, newline=False).rstrip(b"=").translate(_URL_SAFE) != part:
        raise CallRefused(ProblemKind.MALFORMED, "a part of the JWS is not base64url")
    return decoded


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _der(text: str) -> bytes:
    return b64decode(text, validate=True)


def _json(text: bytes) -> dict[str, Any]:
    """An object, without duplicate keys: two readers might take a different one of them (RFC 8259, 4)."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise CallRefused(ProblemKind.MALFORMED, "expected a JSON object in UTF-8 without duplicate keys") from error
    if not isinstance(value, dict) or not _is_flat_enough(value, _MAX_DEPTH):
        raise CallRefused(ProblemKind.MALFORMED, f"expected a JSON object, nested {_MAX_DEPTH} deep at most")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _is_flat_enough(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_flat_enough(item, depth - 1) for item in inner)


def _sentence(error: ValidationError) -> str:
    """Which field is wrong and why. The caller is authenticated, and it is his own document."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"[:500]
