"""Every operation of the OpenAPI document, called with what fits it and what does not, against a whole desk.

Bounded and derandomised: the same calls each time. Once as the document has it, with bodies that nobody signed; once with
bodies that are documents, signed by a registered authority, so that they get behind the door.
"""

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from blindrelay.policies.exchange import JOSE
from blindrelay.relay.desk.http.__main__ import described
from support.desk_site import DeskSite, desk_in

BOUNDED = settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

DOCUMENT = described()
#: Who signs; set while a site is there.
SITES: list[DeskSite] = []


@schemathesis.serializer(JOSE)
def jose(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A document is signed, with what only a caller can know put right; anything else goes as it is."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        return str(value).encode("utf-8", "surrogatepass")
    caller = SITES[-1].court
    claims = copy.deepcopy(value)
    claims |= {"aud": caller.relay_id, "iat": int(caller.clock.now()), "jti": str(uuid4())}
    if isinstance(claims.get("document"), dict) and "demands" in claims["document"]:
        claims["document"] |= {
            "sender": caller.identity.card.id,
            "officer": caller.identity.officer,
            "receiver": caller.relay_id,
        }
    return caller.signed(json.dumps(claims).encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def desk_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskSite]:
    """A desk that runs."""
    folder: Path = tmp_path_factory.mktemp("desk")
    site = desk_in(folder)
    asyncio.run(site.desk.start())
    SITES.append(site)
    yield site
    SITES.pop()
    site.desk.journal.close()


def loaded(site: DeskSite, document: dict[str, Any]) -> Any:
    schema = schemathesis.openapi.from_dict(document)
    schema.app = site.app
    return schema


@pytest.fixture(scope="module")
def published(desk_site: DeskSite) -> Any:
    """The document as it is in the reference; without the limit of a call's length, up to which Hypothesis would go."""
    unbounded = copy.deepcopy(DOCUMENT)
    for operation in (operation for operations in unbounded["paths"].values() for operation in operations.values()):
        for body in operation.get("requestBody", {}).get("content", {}).values():
            body["schema"].pop("maxLength", None)
    return loaded(desk_site, unbounded)


@pytest.fixture(scope="module")
def signed(desk_site: DeskSite) -> Any:
    """The same, for somebody who signs: a body is the document that is inside."""
    changed = copy.deepcopy(DOCUMENT)
    for operations in changed["paths"].values():
        for operation in operations.values():
            body = operation.get("requestBody", {}).get("content", {}).get(JOSE)
            if body:
                body["schema"] = body["schema"]["contentSchema"]
    return loaded(desk_site, changed)


OPERATIONS = [(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations]


def explore(schema: Any, method: str, path: str, check: Callable[[Any], None]) -> None:
    """Call one operation with what fits its description, and then with what does not."""
    operation = schema[path][method]
    has_parts = any((operation.body, operation.path_parameters, operation.query))
    for mode in (GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if has_parts else [])):
        strategy = operation.as_strategy(generation_mode=mode)
        BOUNDED(given(case=strategy)(check))()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nobody_gets_further_than_the_door(method: str, path: str, published: Any, desk_site: DeskSite) -> None:
    """Whatever comes without a signature or a token is refused as the document says, and no case is opened."""

    def check(case: Any) -> None:
        response = case.call()
        case.validate_response(response, checks=CHECKS)
        assert "Traceback" not in response.text
        assert response.status_code >= 400 or path == "/v1/relay"
        assert desk_site.desk.list_cases(all_cases=True) == []

    explore(published, method, path, check)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_signed_calls_are_answered_as_described(method: str, path: str, signed: Any, desk_site: DeskSite) -> None:
    """Signed documents and an operator's calls, right and wrong, are answered in the forms that the document has."""

    def check(case: Any) -> None:
        if "/operator" in path:
            case.headers["authorization"] = f"Bearer {desk_site.token}"
        response = case.call()
        case.validate_response(response, checks=CHECKS)
        assert "Traceback" not in response.text

    explore(signed, method, path, check)
