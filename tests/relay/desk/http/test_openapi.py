"""The OpenAPI document in the reference is that of the application."""

import json
from collections.abc import Iterator
from pathlib import Path

from blindrelay.policies.exchange import JOSE
from blindrelay.relay.desk.errors import DeskError
from blindrelay.relay.desk.http.__main__ import described, text
from blindrelay.relay.desk.http.application import PROBLEMS
from blindrelay.relay.desk.problems import PROBLEM_JSON, ProblemKind

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "openapi.json"


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_reference_is_what_the_application_is() -> None:
    """`python -m blindrelay.relay.desk.http docs/reference/openapi.json` has been run since the last change of a route."""
    assert PAGE.read_text(encoding="utf-8") == text()


def test_every_reference_leads_somewhere() -> None:
    """No schema that is pointed to is missing, and none is there that nobody points to."""
    document = described()
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(references(document)) == there


def test_every_refusal_is_a_problem() -> None:
    """Each error answer of each operation is application/problem+json, with an example that is one."""
    for path, operations in described()["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    content = answer["content"]
                    assert list(content) == [PROBLEM_JSON], f"{method} {path} {status}"
                    assert all(
                        example["value"]["status"] == int(status)
                        for example in content[PROBLEM_JSON]["examples"].values()
                    )


def test_authorities_send_signed_calls_alone() -> None:
    """Every operation for authorities takes application/jose and nothing else, and says what is signed."""
    posts = [
        operations["post"]
        for path, operations in described()["paths"].items()
        if "operator" not in path and "post" in operations
    ]

    assert len(posts) == 6
    for operation in posts:
        ((media_type, body),) = operation["requestBody"]["content"].items()
        assert media_type == JOSE
        assert body["schema"]["contentSchema"]["$ref"].endswith("Call")
        assert "parameters" not in operation


def test_operators_show_a_token() -> None:
    """Every operators' operation asks for the token of a person."""
    for path, operations in described()["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) is ("/operator" in path), path


def test_every_error_of_the_desk_reaches_the_wire() -> None:
    """An error that the desk's own list has has a problem; what fails while it works on is nobody's answer."""
    assert set(PROBLEMS) == {kind for kind in DeskError.__subclasses__() if kind.__module__ == DeskError.__module__}


def test_problems_differ() -> None:
    """A type means one thing."""
    slugs = [kind.slug for kind in ProblemKind]

    assert len(set(slugs)) == len(slugs)
    assert json.loads(ProblemKind.STALE.problem().model_dump_json())["type"] == "urn:blindrelay:problem:stale"
