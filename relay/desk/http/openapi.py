"""The OpenAPI document: what is in a signed call, and every problem that an answer can be."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from blindrelay.policies.exchange import FetchCall, Problem, RequestCall, StatusCall, StreamCall, WithdrawCall
from blindrelay.relay.desk.problems import PREFIX, PROBLEM_JSON, ProblemKind

_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = """\
How authorities hand in lawful requests, see how they stand, and fetch what was granted.

Every call is a JWS in compact form (RFC 7515): ES256, `typ` `blindrelay-call+jws`, the officer's certificate and the
authority's root in `x5c`. Its payload is named in `contentSchema`. Errors are RFC 9457 problems. This is a description of a
program, not legal advice.
"""


def problems(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can be answered with these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
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
    described = get_openapi(title=app.title, version=app.version, routes=app.routes, description=_DESCRIPTION)
    calls = (RequestCall, StatusCall, WithdrawCall, FetchCall, StreamCall, Problem)
    _, schemas = models_json_schema([(model, "validation") for model in calls], ref_template=_REFERENCE)
    components = described.setdefault("components", {}).setdefault("schemas", {})
    components.update(schemas["$defs"])
    components["Problem"]["properties"]["type"]["enum"] = [PREFIX + kind.slug for kind in ProblemKind]
    described["components"]["schemas"] = dict(sorted(components.items()))
    return described
