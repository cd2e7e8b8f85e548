"""HTTP answers, held to their forms: each address has one, and an answer is that, with nothing more in it."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from blindrelay.clients.auditor.comparing import ClaimedReport
from blindrelay.policies.exchange import CaseAnswer, Problem, RelayIdentity
from blindrelay.policies.leaves import Receipt
from blindrelay.policies.records import AccessRecord, TrafficRecord
from blindrelay.policies.stream import Gap, StreamEnd
from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.evidence.http import Exchanged
from blindrelay.relay.desk.views import CaseDetail

_HEADERS: Final = frozenset(
    {"content-length", "content-type", "date", "server", "cache-control", "connection", "retry-after", "transfer-encoding",
     "www-authenticate", "x-content-type-options", "allow", "strict-transport-security", "access-control-allow-origin",
     "content-security-policy", "referrer-policy", "x-frame-options", "cross-origin-resource-policy"}
)  # fmt: skip
_JSON, _EVENTS = "application/json", "text/event-stream"
_CASE: Final = "/v1/operator/cases/[0-9a-f-]{36}"
_LOG: Final = "/logs/[a-z-]+"
#: What an event of a real-time order may hold.
_RECORD: Final[TypeAdapter[Any]] = TypeAdapter(TrafficRecord | AccessRecord | Gap | StreamEnd)
_LINE: Final = re.compile(r"(|:|id: [0-9a-zA-Z.:_-]+|event: [a-z]+)")


@dataclass(frozen=True, slots=True)
class Form:
    """What an address answers with. `content`: of JSON, what it is; None for what others look at: packages, tiles, notes."""

    address: str
    media_type: str
    content: TypeAdapter[Any] | None = None


FORMS: Final = (
    Form("/v1/relay", _JSON, TypeAdapter(RelayIdentity)),
    Form("/v1/(requests|status|withdrawals)", _JSON, TypeAdapter(CaseAnswer)),
    Form("/v1/receipts", _JSON, TypeAdapter(Receipt)),
    Form("/v1/packages", "application/vnd.blindrelay.package"),
    Form("/v1/streams", _EVENTS),
    Form(f"{_CASE}/(approvals|call-backs)", _JSON, TypeAdapter(CaseDetail)),
    Form("/transparency", _JSON, TypeAdapter(ClaimedReport)),
    Form(f"{_LOG}/(checkpoint|policy)", "text/plain"),
    Form(f"{_LOG}/tile/.+", "application/octet-stream"),
)
_PROBLEM: Final = Form(".*", "application/problem+json", TypeAdapter(Problem))
#: From this status on it is no answer.
_REFUSED: Final = 400


def hold(exchanged: Exchanged, report: Report) -> None:
    """Find what is not of the form that the address answers with."""
    report.examined("HTTP answers")
    for name, _ in exchanged.headers:
        if name not in _HEADERS:
            report.find("http-field", f"{exchanged.where} is answered with the header {name!r}")
    for problem in _problems(exchanged, report):
        report.find("http-field", f"{exchanged.where} is answered with {problem}")


def _problems(exchanged: Exchanged, report: Report) -> list[str]:
    form = _form(exchanged)
    if form is None:
        return [f"{exchanged.status}, and there is no such address"]
    if exchanged.media_type != form.media_type:
        return [f"{exchanged.media_type or 'nothing'} instead of {form.media_type}"]
    if form.media_type == _EVENTS:
        return _events(exchanged.body)
    if form.content is None:
        return []
    report.examined("HTTP answers compared field by field")
    return _content(form.content, exchanged.body)


def _form(exchanged: Exchanged) -> Form | None:
    """Of a refusal there is one, whatever was asked for."""
    if exchanged.status >= _REFUSED:
        return _PROBLEM
    return next((form for form in FORMS if re.fullmatch(form.address, exchanged.path)), None)


def _content(content: TypeAdapter[Any], body: bytes) -> list[str]:
    """What is written again must be what was read: nothing that the form does not know is in it."""
    try:
        again = content.dump_python(content.validate_json(body), mode="json", by_alias=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return [f"what is not of its form: {'.'.join(map(str, first['loc']))}: {first['msg']}"]
    return [f"{where} beside its form" for where in _more(json.loads(body), again)]


def _more(found: Any, known: Any, where: str = "") -> list[str]:
    """Where `found` has a key that `known` has not."""
    if isinstance(found, dict) and isinstance(known, dict):
        here = [f"{where}{key}" for key in found.keys() - known.keys()]
        return here + [each for key in found.keys() & known for each in _more(found[key], known[key], f"{where}{key}.")]
    if isinstance(found, list) and isinstance(known, list):
        return [each for one, other in zip(found, known, strict=False) for each in _more(one, other, where)]
    return []


def _events(body: bytes) -> list[str]:
    """Server-sent events; the last one may have been cut off."""
    found = []
    for line in body.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(": ")
        if name == "data":
            try:
                _RECORD.validate_json(value)
            except ValidationError:
                found.append(f"an event that is no record: {value[:80]!r}")
        elif not _LINE.fullmatch(line):
            found.append(f"a line that events do not have: {line[:80]!r}")
    return found
