"""The OpenAPI document: what is in a signed call, and every problem that an answer can be.

Written by `python -m blindrelay.relay.desk.http docs/reference/openapi.json`.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from blindrelay.policies.exchange import (
    FetchCall,
    Problem,
    ReceiptCall,
    RequestCall,
    StatusCall,
    StreamCall,
    WithdrawCall,
)
from blindrelay.relay.desk.problems import PREFIX, PROBLEM_JSON, ProblemKind

_REFERENCE: Final = "#/components/schemas/{model}"
_CALLS: Final = (RequestCall, StatusCall, WithdrawCall, FetchCall, ReceiptCall, StreamCall, Problem)
_DESCRIPTION: Final = """\
How authorities hand in lawful requests, see how they stand, and fetch what was granted; and how the relay's own people work on
the cases.

An authority's call is a JWS in compact form (RFC 7515): ES256, `typ` `blindrelay-call+jws`, the officer's certificate and the
authority's root in `x5c`. Its payload is what `contentSchema` names. Errors are RFC 9457 problems. This describes a program and
is not legal advice.
"""
#: What any operators' route may be answered with: it has a token, a body, and cases that are there or not.
_OPERATORS: Final = (
    ProblemKind.MALFORMED,
    ProblemKind.UNAUTHENTICATED,
    ProblemKind.FORBIDDEN,
    ProblemKind.NOT_FOUND,
    ProblemKind.TOO_SLOW,
    ProblemKind.CONFLICT,
    ProblemKind.TOO_LARGE,
    ProblemKind.INVALID,
    ProblemKind.TOO_MANY,
    ProblemKind.INTERNAL,
    ProblemKind.UNAVAILABLE,
)


def problems(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can be answered with these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in sorted(kinds, key=lambda kind: (kind.status, kind.slug)):
        entry = found.setdefault(
            kind.status,
            {
                "description": "",
                "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        entry["description"] = "; ".join(filter(None, [entry["description"], kind.title]))
        examples = entry["content"][PROBLEM_JSON]["examples"]
        examples[kind.slug] = {"value": kind.problem().model_dump(mode="json")}
    return found


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application."""
    described: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=_DESCRIPTION
    )
    _, calls = models_json_schema([(model, "validation") for model in _CALLS], ref_template=_REFERENCE)
    schemas: dict[str, Any] = described["components"]["schemas"]
    schemas.update(calls["$defs"])
    schemas["Problem"]["properties"]["type"]["enum"] = [PREFIX + kind.slug for kind in ProblemKind]
    for operation in (operation for path in described["paths"].values() for operation in path.values()):
        if "operators" in operation["tags"]:
            operation["responses"].update({str(status): entry for status, entry in problems(*_OPERATORS).items()})
    # FastAPI's own form of a validation error, which no answer of ours has.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    described["components"]["schemas"] = dict(sorted(schemas.items()))
    return described
