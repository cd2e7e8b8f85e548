"""Requests: JSON in, JSON out. What is malformed, unknown or refused becomes an answer with a sentence, never a traceback.

Who may call what is decided before, by `access`; the methods look again at whose identity it is where their data depends
on it.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Final, TypeAlias

import structlog
from pydantic import ValidationError

from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.rpc import MAX_REQUEST, METHODS, Answer, ErrorCode, Refused
from blindrelay.protocol.statements import Wire
from blindrelay.relay.access import CALLERS
from blindrelay.relay.errors import RequestRefused, StoreError
from blindrelay.relay.limits import Limits

Handler: TypeAlias = Callable[[Any, Any], Awaitable[Wire]]

_MAX_MESSAGE: Final = 500
# What a request costs beside 1, in requests: a large one is one with many signatures to verify. Bytes.
_BYTES_PER_TOKEN: Final = 2_048

_log = structlog.get_logger()


class Rpc:
    """Finds the method, checks the request, and turns what comes of it into an `Answer`.

    Args:
        handlers: a coroutine function of (identity, request model) for every method of the protocol.
        limits: how often an identity may ask.
        stands: whether the identity is still good.

    Attributes:
        counts: how many there were, by method and outcome: `answered`, or the code of the refusal.
        timed: is told of each how many seconds it took, its method and its outcome; None as long as nobody wants to know.
    """

    def __init__(self, handlers: Mapping[str, Handler], limits: Limits, stands: Callable[[Hashable], bool]) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.timed: Callable[[float, str, str], None] | None = None
        self._handlers = dict(handlers)
        self._limits = limits
        self._stands = stands

    async def __call__(self, identity: Hashable, method: str, payload: bytes) -> bytes:
        """Carry out a request and return the JSON of its `Answer`, refusals included."""
        began = time.monotonic()
        try:
            answer = Answer(result=(await self._carry_out(identity, method, payload)).model_dump(mode="json"))
        except RequestRefused as refusal:
            answer = _refused(refusal.code, refusal.reason)
        except VerificationFailed as error:
            answer = _refused(ErrorCode.VERIFICATION_FAILED, str(error))
        except ValidationError as error:
            answer = _refused(ErrorCode.MALFORMED, _sentence(method, error))
        except Malformed as error:
            answer = _refused(ErrorCode.MALFORMED, str(error))
        except StoreError:
            answer = _refused(ErrorCode.UNAVAILABLE, "the relay cannot keep anything just now: try again later")
        except Exception:  # noqa: BLE001 - a bug of ours is no reason to leave anybody without an answer
            _log.exception("request failed", method=method if method in METHODS else None)
            answer = _refused(ErrorCode.UNAVAILABLE, "the relay failed to carry this out: it is not your fault")
        outcome = "answered" if answer.error is None else answer.error.code.value
        known = method if method in METHODS else "unknown"
        self.counts[known, outcome] += 1
        if self.timed is not None:
            self.timed(time.monotonic() - began, known, outcome)
        return answer.model_dump_json().encode()

    async def _carry_out(self, identity: Hashable, method: str, payload: bytes) -> Wire:
        if not self._stands(identity):
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "not authorised any more")
        if not self._limits.asking(identity, 1 + len(payload) / _BYTES_PER_TOKEN):
            raise RequestRefused(ErrorCode.RATE_LIMITED, "too many requests: wait a few seconds and ask again")
        handler = self._handlers.get(method)
        if handler is None:
            raise RequestRefused(ErrorCode.UNKNOWN_METHOD, "there is no such method")
        if type(identity) not in CALLERS[method]:
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "this identity may not call this method")
        if len(payload) > MAX_REQUEST:
            raise RequestRefused(ErrorCode.MALFORMED, f"a request has {MAX_REQUEST} bytes at most")
        return await handler(identity, METHODS[method].request.model_validate_json(payload))


def _refused(code: ErrorCode, message: str) -> Answer:
    return Answer(error=Refused(code=code, message=message[:_MAX_MESSAGE]))


def _sentence(method: str, error: ValidationError) -> str:
    """What is wrong, without repeating what was sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:100] or "the request"
    return f"{method}: {where}: {first['msg']}"
